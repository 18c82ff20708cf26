package main

import (
	"encoding/binary"
	"encoding/json"
	"flag"
	"math/rand"
	"net"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/net/http2/hpack"
)

const (
	method       = "/inference.GRPCInferenceService/ModelInfer"
	prefixBytes  = 5   // of a gRPC message: compressed or not, and its length
	smallBytes   = 512 // a request below it is answered with as many tensor elements as REST asks for
	smallTensor  = 64
	outputName   = "predict"
	statusOther  = "12" // UNIMPLEMENTED
	statusBroken = "13" // INTERNAL
)

// counters is what the backend has done since it was started.
type counters struct {
	Served   int64  `json:"served"`
	Received int64  `json:"received_bytes"`
	Refused  int64  `json:"refused"`
	Resets   int64  `json:"resets"`
	Conns    int64  `json:"connections"`
	Model    string `json:"model"` // that the last request named in its message
}

type server struct {
	counters
	mu      sync.Mutex
	answers map[int][]byte // by the length of the request's message
}

// backend answers ModelInfer with a response as long as the request, and tells its counters to whoever
// connects to the second address.
func backend(arguments []string) error {
	flags := flag.NewFlagSet("backend", flag.ExitOnError)
	listen := flags.String("listen", "127.0.0.1:0", "address for gRPC")
	tell := flags.String("tell", "127.0.0.1:0", "address that tells the counters as JSON")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	server := &server{answers: map[int][]byte{}}
	telling, err := net.Listen("tcp", *tell)
	if err != nil {
		return err
	}
	go server.tell(telling)
	listening, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	for {
		raw, err := listening.Accept()
		if err != nil {
			return err
		}
		atomic.AddInt64(&server.Conns, 1)
		go server.serve(raw)
	}
}

func (s *server) tell(listening net.Listener) {
	for {
		asking, err := listening.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		told := s.counters
		s.mu.Unlock()
		told.Conns = atomic.LoadInt64(&s.Conns)
		_ = json.NewEncoder(asking).Encode(told)
		asking.Close()
	}
}

func (s *server) serve(raw net.Conn) {
	call := &answering{server: s}
	call.conn = newConn(raw, false)
	call.conn.events = call
	call.conn.decoder = hpack.NewDecoder(4096, func(field hpack.HeaderField) {
		if field.Name == ":path" {
			call.path = field.Value
		}
	})
	if _, err := call.conn.in.Discard(len(preface)); err == nil {
		_ = call.conn.run()
	}
	raw.Close()
}

// answering is the backend's end of one connection.
type answering struct {
	server *server
	conn   *conn
	path   string
}

func (a *answering) opened(id uint32) *stream { return &stream{id: id} }

func (a *answering) headers(stream *stream, ends bool) {
	switch {
	case a.path != method && a.path != "":
		a.refuse(stream, statusOther)
	case ends:
		a.refuse(stream, statusBroken)
	}
	a.path = ""
}

func (a *answering) data(stream *stream, payload []byte, ends bool) {
	if stream.received < headBytes {
		copy(stream.head[stream.received:], payload)
	}
	stream.received += len(payload)
	if !ends {
		return
	}
	message := int(binary.BigEndian.Uint32(stream.head[1:]))
	if stream.received != message+prefixBytes {
		a.refuse(stream, statusBroken)
		return
	}
	a.count(stream)
	answer := a.server.answer(message)
	a.conn.mu.Lock()
	delete(a.conn.streams, stream.id)
	a.conn.send(stream, block(stream.id, responseBlock, false), answer, block(stream.id, trailerBlock, true))
	if stream.sending {
		a.conn.streams[stream.id] = stream // its windows are still of interest
	}
	a.conn.mu.Unlock()
}

func (a *answering) count(stream *stream) {
	a.server.mu.Lock()
	defer a.server.mu.Unlock()
	a.server.Served++
	a.server.Received += int64(stream.received)
	if length := int(stream.head[prefixBytes+1]); stream.head[prefixBytes] == 0x0a && length < headBytes-prefixBytes-2 {
		name := stream.head[prefixBytes+2 : prefixBytes+2+length]
		if string(name) != a.server.Model {
			a.server.Model = string(name)
		}
	}
}

func (a *answering) refuse(stream *stream, status string) {
	a.server.mu.Lock()
	a.server.Refused++
	a.server.mu.Unlock()
	refusal := appendField(appendStatus(nil), "grpc-status", status)
	a.conn.mu.Lock()
	delete(a.conn.streams, stream.id)
	a.conn.out = append(a.conn.out, block(stream.id, refusal, true)...)
	a.conn.mu.Unlock()
}

func (a *answering) reset(stream *stream, _ uint32) {
	a.server.mu.Lock()
	a.server.Resets++
	a.server.mu.Unlock()
	a.conn.remove(stream)
}

func (a *answering) settled()           {}
func (a *answering) goAway(_, _ uint32) {}

// answer is the whole gRPC message for a request of this length, made once.
func (s *server) answer(length int) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	made := s.answers[length]
	if made == nil {
		elements := smallTensor
		if length >= smallBytes {
			elements = 0
		}
		message := modelInferResponse(length, elements)
		made = binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message)))
		made = append(made, message...)
		s.answers[length] = made
	}
	return made
}

// modelInferResponse is an inference.ModelInferResponse: of so many FP32, or of so many bytes in all.
func modelInferResponse(length, elements int) []byte {
	datatype, id := "FP32", ""
	raw := make([]byte, 4*elements)
	for place := 0; place < elements; place++ {
		binary.LittleEndian.PutUint32(raw[4*place:], 0x3f000000|rand.New(rand.NewSource(int64(place))).Uint32()&0xffffff)
	}
	if elements == 0 {
		datatype = "UINT8"
		raw = make([]byte, length)
		// What surrounds the contents takes its part of the length; an odd byte goes into the id.
		for len(raw) > 0 && len(encoded(datatype, "", raw)) > length {
			over := len(encoded(datatype, "", raw)) - length
			raw = raw[:max(len(raw)-over, 0)]
		}
		if missing := length - len(encoded(datatype, "", raw)); missing > 2 {
			id = strings.Repeat("i", missing-2)
		}
	}
	return encoded(datatype, id, raw)
}

func encoded(datatype, id string, raw []byte) []byte {
	size := 1
	if datatype == "FP32" {
		size = 4
	}
	shape := binary.AppendUvarint([]byte{1}, uint64(len(raw)/size))
	output := field(1, outputName)
	output = append(output, field(2, datatype)...)
	output = append(output, field(3, string(shape))...)
	message := field(1, "bench-model")
	if id != "" {
		message = append(message, field(3, id)...)
	}
	message = append(message, field(5, string(output))...)
	return append(message, field(6, string(raw))...)
}

// field is a length-delimited field of a protobuf message.
func field(number int, value string) []byte {
	head := binary.AppendUvarint([]byte{byte(number<<3 | 2)}, uint64(len(value)))
	return append(head, value...)
}
