package main

import (
	"fmt"
	"iter"

	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
)

// The services, as protos/ has them.
const (
	managementService = "mmesh.ModelMesh"
	runtimeService    = "mmesh.ModelRuntime"
	inferenceService  = "inference.GRPCInferenceService"

	modelHeader = "mm-model-id"
)

// message is an encoded protobuf message.
type message []byte

// field is one of its fields: a number, or bytes.
type field struct {
	id     protowire.Number
	number uint64
	bytes  []byte
}

// fields are those of a message up to its end, or up to where it cannot be read.
func (m message) fields() iter.Seq[field] {
	return func(yield func(field) bool) {
		for rest := []byte(m); len(rest) > 0; {
			id, kind, tag := protowire.ConsumeTag(rest)
			if tag < 0 {
				return
			}
			found, size := field{id: id}, 0
			switch kind {
			case protowire.VarintType:
				found.number, size = protowire.ConsumeVarint(rest[tag:])
			case protowire.BytesType:
				found.bytes, size = protowire.ConsumeBytes(rest[tag:])
			default:
				size = protowire.ConsumeFieldValue(id, kind, rest[tag:])
			}
			if size < 0 || !yield(found) {
				return
			}
			rest = rest[tag+size:]
		}
	}
}

// text is the string in this field; empty if there is none.
func (m message) text(id protowire.Number) string {
	text := ""
	for found := range m.fields() {
		if found.id == id {
			text = string(found.bytes)
		}
	}
	return text
}

func (m message) withText(id protowire.Number, text string) message {
	if text == "" {
		return m
	}
	return protowire.AppendString(protowire.AppendTag(m, id, protowire.BytesType), text)
}

func (m message) withBytes(id protowire.Number, content []byte) message {
	return protowire.AppendBytes(protowire.AppendTag(m, id, protowire.BytesType), content)
}

func (m message) withNumber(id protowire.Number, number uint64) message {
	if number == 0 {
		return m
	}
	return protowire.AppendVarint(protowire.AppendTag(m, id, protowire.VarintType), number)
}

func (m message) withTruth(id protowire.Number, truth bool) message {
	return m.withNumber(id, protowire.EncodeBool(truth))
}

// asIs is the codec of both ends: what is sent and received is encoded already.
type asIs struct{}

func (asIs) Name() string { return "proto" }

func (asIs) Marshal(value any) (mem.BufferSlice, error) {
	encoded, known := value.(message)
	if !known {
		return nil, fmt.Errorf("%T is no encoded message", value)
	}
	return mem.BufferSlice{mem.SliceBuffer(encoded)}, nil
}

func (asIs) Unmarshal(received mem.BufferSlice, value any) error {
	into, known := value.(*message)
	if !known {
		return fmt.Errorf("%T takes no encoded message", value)
	}
	*into = received.Materialize()
	return nil
}

func init() { encoding.RegisterCodecV2(asIs{}) }
