package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"net"
	"sync"

	"golang.org/x/net/http2/hpack"
)

// Frame types and flags of RFC 9113, section 6.
const (
	frameData         = 0x0
	frameHeaders      = 0x1
	frameReset        = 0x3
	frameSettings     = 0x4
	framePing         = 0x6
	frameGoAway       = 0x7
	frameWindow       = 0x8
	frameContinuation = 0x9

	flagEndStream  = 0x1
	flagAck        = 0x1
	flagEndHeaders = 0x4
	flagPadded     = 0x8
	flagPriority   = 0x20

	settingTableSize  = 0x1
	settingStreams    = 0x3
	settingWindow     = 0x4
	settingFrameSize  = 0x5
	frameHeaderBytes  = 9
	readBufferBytes   = 256 << 10
	writeChunkBytes   = 256 << 10
	directWriteBytes  = 64 << 10 // so much surely fits the socket's buffer, and may be written by who reads
	streamWindowBytes = 1 << 20
	connWindowBytes   = 16 << 20
	defaultWindow     = 65535
	preface           = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
)

// events is what one end does with what arrives; all are called by the goroutine that reads.
type events interface {
	headers(stream *stream, ends bool)
	data(stream *stream, payload []byte, ends bool)
	reset(stream *stream, code uint32)
	opened(id uint32) *stream // a stream that is not known; nil: ignore
	settled()                 // the peer's first SETTINGS have been applied
	goAway(lastStream, code uint32)
}

// stream is one call. What it sends waits in body until the windows let it go.
type stream struct {
	id       uint32
	window   int    // what the peer still takes
	body     []byte // what is still to be sent
	end      []byte // frames after the body; nil: the last DATA frame ends the stream
	sending  bool
	unacked  int // bytes received and not yet credited
	received int
	head     [headBytes]byte // how the message begins
	slot     int
}

const headBytes = 128

// conn is an HTTP/2 connection, either end of it. Whoever holds mu may send.
type conn struct {
	net.Conn
	events    events
	in        *bufio.Reader
	decoder   *hpack.Decoder
	unacked   int
	blockEnds bool               // whether the HEADERS frame ended its stream; CONTINUATION frames may follow it
	streams   map[uint32]*stream // only the reading goroutine changes it, with mu held

	mu         sync.Mutex
	wake       *sync.Cond
	out        []byte      // whole frames to be written
	bodies     net.Buffers // frames after them, whose contents lie where they are
	heads      []byte      // the headers of those
	spare      []byte
	writing    bool
	closed     bool
	queue      []*stream // those with a body to send
	window     int
	initial    int
	frameMax   int
	tableMax   uint32
	streamsMax uint32
	started    bool
}

func newConn(raw net.Conn, client bool) *conn {
	c := &conn{
		Conn: raw, in: bufio.NewReaderSize(raw, readBufferBytes), streams: map[uint32]*stream{},
		window: defaultWindow, initial: defaultWindow, frameMax: 16384, tableMax: 4096, streamsMax: 1 << 30,
	}
	c.wake = sync.NewCond(&c.mu)
	if client {
		c.out = append(c.out, preface...)
	}
	c.out = appendHeader(c.out, 12, frameSettings, 0, 0)
	c.out = binary.BigEndian.AppendUint16(c.out, settingStreams)
	c.out = binary.BigEndian.AppendUint32(c.out, 1024)
	c.out = binary.BigEndian.AppendUint16(c.out, settingWindow)
	c.out = binary.BigEndian.AppendUint32(c.out, streamWindowBytes)
	c.out = appendWindow(c.out, 0, connWindowBytes-defaultWindow)
	return c
}

func appendHeader(to []byte, length int, kind, flags byte, stream uint32) []byte {
	return append(to, byte(length>>16), byte(length>>8), byte(length), kind, flags,
		byte(stream>>24), byte(stream>>16), byte(stream>>8), byte(stream))
}

func appendWindow(to []byte, stream uint32, credit int) []byte {
	return binary.BigEndian.AppendUint32(appendHeader(to, 4, frameWindow, 0, stream), uint32(credit))
}

// run reads until the connection ends. What is sent in answer is written when there is nothing more to read.
func (c *conn) run() error {
	go c.writeQueued()
	defer c.close()
	c.flush()
	for {
		if c.in.Buffered() < frameHeaderBytes {
			c.flush()
		}
		header, err := c.in.Peek(frameHeaderBytes)
		if err != nil {
			return err
		}
		length := int(header[0])<<16 | int(header[1])<<8 | int(header[2])
		kind, flags := header[3], header[4]
		id := binary.BigEndian.Uint32(header[5:]) & 0x7fffffff
		if length > 16384 {
			return fmt.Errorf("a frame of %d bytes, and 16384 were announced", length)
		}
		if c.in.Buffered() < frameHeaderBytes+length {
			c.flush()
		}
		whole, err := c.in.Peek(frameHeaderBytes + length)
		if err != nil {
			return err
		}
		if err := c.receive(kind, flags, id, whole[frameHeaderBytes:]); err != nil {
			return err
		}
		if _, err := c.in.Discard(frameHeaderBytes + length); err != nil {
			return err
		}
	}
}

func (c *conn) receive(kind, flags byte, id uint32, payload []byte) error {
	switch kind {
	case frameData:
		return c.receiveData(flags, id, payload)
	case frameHeaders, frameContinuation:
		return c.receiveHeaders(kind, flags, id, payload)
	case frameReset:
		if stream := c.streams[id]; stream != nil {
			c.events.reset(stream, binary.BigEndian.Uint32(payload))
		}
	case frameSettings:
		if flags&flagAck == 0 {
			c.receiveSettings(payload)
		}
	case framePing:
		if flags&flagAck == 0 {
			c.mu.Lock()
			c.out = append(appendHeader(c.out, len(payload), framePing, flagAck, 0), payload...)
			c.mu.Unlock()
		}
	case frameGoAway:
		c.events.goAway(binary.BigEndian.Uint32(payload), binary.BigEndian.Uint32(payload[4:]))
	case frameWindow:
		c.receiveWindow(id, int(binary.BigEndian.Uint32(payload)&0x7fffffff))
	}
	return nil
}

func unpadded(flags byte, payload []byte) ([]byte, error) {
	if flags&flagPadded == 0 {
		return payload, nil
	}
	if len(payload) == 0 || int(payload[0]) >= len(payload) {
		return nil, fmt.Errorf("a frame with more padding than payload")
	}
	return payload[1 : len(payload)-int(payload[0])], nil
}

func (c *conn) receiveData(flags byte, id uint32, payload []byte) error {
	content, err := unpadded(flags, payload)
	if err != nil {
		return err
	}
	c.unacked += len(payload)
	stream := c.streams[id]
	ends := flags&flagEndStream != 0
	if c.unacked >= connWindowBytes/2 || stream != nil && !ends && stream.unacked+len(payload) >= streamWindowBytes/2 {
		c.credit(stream, len(payload), ends)
	} else if stream != nil {
		stream.unacked += len(payload)
	}
	if stream != nil {
		c.events.data(stream, content, ends)
	}
	return nil
}

func (c *conn) credit(stream *stream, bytes int, ends bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out = appendWindow(c.out, 0, c.unacked)
	c.unacked = 0
	if stream != nil && !ends {
		c.out = appendWindow(c.out, stream.id, stream.unacked+bytes)
		stream.unacked = 0
	}
}

func (c *conn) receiveHeaders(kind, flags byte, id uint32, payload []byte) error {
	fragment := payload
	if kind == frameHeaders {
		var err error
		if fragment, err = unpadded(flags, payload); err != nil {
			return err
		}
		if flags&flagPriority != 0 {
			fragment = fragment[5:]
		}
	}
	stream := c.streams[id]
	if stream == nil && kind == frameHeaders {
		if stream = c.events.opened(id); stream != nil {
			c.add(stream)
		}
	}
	if kind == frameHeaders {
		c.blockEnds = flags&flagEndStream != 0
	}
	if _, err := c.decoder.Write(fragment); err != nil {
		return err
	}
	if flags&flagEndHeaders == 0 {
		return nil
	}
	if err := c.decoder.Close(); err != nil {
		return err
	}
	if stream != nil {
		c.events.headers(stream, c.blockEnds)
	}
	return nil
}

func (c *conn) receiveSettings(payload []byte) {
	c.mu.Lock()
	for ; len(payload) >= 6; payload = payload[6:] {
		value := binary.BigEndian.Uint32(payload[2:])
		switch binary.BigEndian.Uint16(payload) {
		case settingTableSize:
			c.tableMax = value
		case settingStreams:
			c.streamsMax = value
		case settingWindow:
			for _, stream := range c.streams {
				stream.window += int(value) - c.initial
			}
			c.initial = int(value)
		case settingFrameSize:
			c.frameMax = min(int(value), 16384)
		}
	}
	c.out = appendHeader(c.out, 0, frameSettings, flagAck, 0)
	first := !c.started
	c.started = true
	c.mu.Unlock()
	if first {
		c.events.settled()
	}
}

func (c *conn) receiveWindow(id uint32, credit int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if id == 0 {
		c.window += credit
	} else if stream := c.streams[id]; stream != nil {
		stream.window += credit
	}
}

func (c *conn) add(stream *stream) {
	c.mu.Lock()
	stream.window = c.initial
	c.streams[stream.id] = stream
	c.mu.Unlock()
}

// remove forgets a stream, and what it still had to send.
func (c *conn) remove(stream *stream) {
	c.mu.Lock()
	delete(c.streams, stream.id)
	stream.body, stream.end = nil, nil
	if stream.sending {
		c.dequeue(stream)
	}
	c.mu.Unlock()
}

// send gives a stream its header frames, its body and what follows; with mu held.
func (c *conn) send(stream *stream, headers, body, end []byte) {
	c.out = append(c.out, headers...)
	if len(c.queue) == 0 && len(body) <= c.frameMax && len(body) <= stream.window && len(body) <= c.window {
		c.window -= len(body)
		stream.window -= len(body)
		c.out = appendData(c.out, stream.id, body, end == nil)
		c.out = append(c.out, end...)
		return
	}
	stream.body, stream.end, stream.sending = body, end, true
	c.queue = append(c.queue, stream)
}

func appendData(to []byte, id uint32, body []byte, ends bool) []byte {
	var flags byte
	if ends {
		flags = flagEndStream
	}
	return append(appendHeader(to, len(body), frameData, flags, id), body...)
}

func (c *conn) dequeue(stream *stream) {
	for place, queued := range c.queue {
		if queued == stream {
			c.queue = append(c.queue[:place], c.queue[place+1:]...)
			break
		}
	}
	stream.sending = false
}

// fill takes DATA frames in turns, as many as the windows and the chunk allow; with mu held.
func (c *conn) fill() {
	c.heads, c.bodies = c.heads[:0], c.bodies[:0]
	filled := 0
	for sent := true; sent && filled < writeChunkBytes; {
		sent = false
		for _, stream := range append([]*stream(nil), c.queue...) {
			size := min(c.frameMax, len(stream.body), stream.window, c.window)
			if size <= 0 {
				continue
			}
			sent = true
			filled += size
			c.fillFrom(stream, size)
		}
	}
}

func (c *conn) fillFrom(stream *stream, size int) {
	c.window -= size
	stream.window -= size
	last := size == len(stream.body)
	var flags byte
	if last && stream.end == nil {
		flags = flagEndStream
	}
	at := len(c.heads)
	c.heads = appendHeader(c.heads, size, frameData, flags, stream.id)
	c.bodies = append(c.bodies, c.heads[at:], stream.body[:size])
	stream.body = stream.body[size:]
	if last {
		if stream.end != nil {
			c.bodies = append(c.bodies, stream.end)
		}
		c.dequeue(stream)
	}
}

// flush writes what is small itself, and leaves the rest to writeQueued: who reads must not wait for a peer
// that itself waits to be read.
func (c *conn) flush() {
	c.mu.Lock()
	if c.writing || c.closed {
		c.mu.Unlock()
		return
	}
	if len(c.queue) > 0 || len(c.out) > directWriteBytes {
		c.wake.Signal()
		c.mu.Unlock()
		return
	}
	if len(c.out) == 0 {
		c.mu.Unlock()
		return
	}
	c.writeOut()
	again := len(c.out) > 0 || len(c.queue) > 0
	c.mu.Unlock()
	if again {
		c.wake.Signal()
	}
}

// writeOut writes all of out, and the bodies that fill took; with mu held, which it gives up meanwhile.
func (c *conn) writeOut() {
	chunk, bodies := c.out, c.bodies
	c.out, c.writing = c.spare[:0], true
	c.mu.Unlock()
	var err error
	if len(bodies) == 0 {
		_, err = c.Write(chunk)
	} else {
		whole := append(net.Buffers{chunk}, bodies...)
		_, err = whole.WriteTo(c.Conn)
	}
	c.mu.Lock()
	c.spare, c.writing, c.bodies = chunk, false, bodies[:0]
	if err != nil {
		c.closed = true
	}
}

func (c *conn) writeQueued() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for !c.closed {
		if !c.writing {
			c.fill()
			if len(c.out)+len(c.bodies) > 0 {
				c.writeOut()
				continue
			}
		}
		c.wake.Wait()
	}
}

func (c *conn) close() {
	c.mu.Lock()
	c.closed = true
	c.wake.Broadcast()
	c.mu.Unlock()
	c.Close()
}
