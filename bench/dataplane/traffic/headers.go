package main

import (
	"fmt"
	"strings"

	"golang.org/x/net/http2/hpack"
)

var (
	responseBlock = appendField(appendStatus(nil), "content-type", "application/grpc")
	trailerBlock  = appendField(nil, "grpc-status", "0")
)

// block is a HEADERS frame of a header block that is short enough for one.
func block(id uint32, fields []byte, ends bool) []byte {
	flags := byte(flagEndHeaders)
	if ends {
		flags |= flagEndStream
	}
	return append(appendHeader(nil, len(fields), frameHeaders, flags, id), fields...)
}

// appendStatus is :status 200, of the static table.
func appendStatus(to []byte) []byte { return append(to, 0x88) }

// appendField is a literal without indexing, as peers want it that announce a table of size 0.
func appendField(to []byte, name, value string) []byte {
	return appendString(appendString(append(to, 0x00), name, false), value, false)
}

func appendString(to []byte, text string, huffman bool) []byte {
	if huffman {
		if coded := hpack.HuffmanEncodeLength(text); coded < uint64(len(text)) {
			return hpack.AppendHuffmanString(appendInteger(to, 0x80, 7, int(coded)), text)
		}
	}
	return append(appendInteger(to, 0, 7, len(text)), text...)
}

// appendInteger is RFC 7541, 5.1, the first byte's high bits given.
func appendInteger(to []byte, first byte, bits uint, value int) []byte {
	most := 1<<bits - 1
	if value < most {
		return append(to, first|byte(value))
	}
	to = append(to, first|byte(most))
	for value -= most; value >= 0x80; value >>= 7 {
		to = append(to, byte(value&0x7f)|0x80)
	}
	return append(to, byte(value))
}

// requestHeaders encodes the headers of one connection's calls as gRPC clients do: what stays the same is put
// into the peer's dynamic table, if it has one, and is one byte from then on; what changes is a literal.
type requestHeaders struct {
	first   []byte // with additions to the table
	again   []byte
	varying bool
	huffman bool
	count   uint64
	seed    uint64
	to      []byte
}

const entryOverheadBytes = 32 // RFC 7541, 4.1

var staticNames = map[string]int{":authority": 1, ":path": 4, "content-type": 31, "user-agent": 58}

func newRequestHeaders(fixed []hpack.HeaderField, tableMax uint32, varying, huffman bool, seed uint64) *requestHeaders {
	h := &requestHeaders{varying: varying, huffman: huffman, seed: seed}
	if tableMax < 4096 {
		h.first = appendInteger(h.first, 0x20, 5, int(tableMax)) // RFC 7541, 4.2: a smaller table is acknowledged
	}
	size := uint32(0)
	indexed := 0
	for _, field := range fixed {
		switch field.Name + " " + field.Value {
		case ":method POST":
			h.first, h.again = append(h.first, 0x83), append(h.again, 0x83)
			continue
		case ":scheme http":
			h.first, h.again = append(h.first, 0x86), append(h.again, 0x86)
			continue
		}
		needs := uint32(len(field.Name) + len(field.Value) + entryOverheadBytes)
		if size+needs <= min(tableMax, 4096) {
			size += needs
			indexed++
			h.first = h.literal(h.first, 0x40, 6, field)
			continue
		}
		h.first = h.literal(h.first, 0x00, 4, field)
		h.again = h.literal(h.again, 0x00, 4, field)
	}
	for place := indexed; place > 0; place-- { // the newest entry has the lowest index
		h.again = appendInteger(h.again, 0x80, 7, 61+place)
	}
	return h
}

func (h *requestHeaders) literal(to []byte, first byte, bits uint, field hpack.HeaderField) []byte {
	if index := staticNames[field.Name]; index > 0 {
		to = appendInteger(to, first, bits, index)
	} else {
		to = appendString(append(to, first), field.Name, h.huffman)
	}
	return appendString(to, field.Value, h.huffman)
}

// next is the header block of the next call; it holds until the one after it.
func (h *requestHeaders) next() []byte {
	h.count++
	h.to = h.to[:0]
	if h.count == 1 {
		h.to = append(h.to, h.first...)
	} else {
		h.to = append(h.to, h.again...)
	}
	if h.varying {
		// A deadline that shrinks by a microsecond, a W3C trace context and a request id, as tracing clients send them.
		h.seed += 0x9e3779b97f4a7c15
		a := h.seed * 0xbf58476d1ce4e5b9
		b := (a ^ a>>31) * 0x94d049bb133111eb
		h.vary("grpc-timeout", fmt.Sprintf("%du", 60_000_000-h.count%30_000_000))
		h.vary("traceparent", fmt.Sprintf("00-%016x%016x-%016x-01", a, b, a^b))
		h.vary("x-request-id", fmt.Sprintf("%08x-%04x-%04x-%04x-%012x", uint32(a), uint16(b), uint16(b>>16), uint16(a>>32), b>>16))
	}
	return h.to
}

func (h *requestHeaders) vary(name, value string) {
	h.to = appendString(appendString(append(h.to, 0x00), name, h.huffman), value, h.huffman)
}

// headerFlags collects -header name:value.
type headerFlags []hpack.HeaderField

func (f *headerFlags) String() string { return "" }

func (f *headerFlags) Set(text string) error {
	name, value, found := strings.Cut(text, ": ")
	if !found {
		return fmt.Errorf("a header is `name: value`, not %q", text)
	}
	*f = append(*f, hpack.HeaderField{Name: name, Value: value})
	return nil
}
