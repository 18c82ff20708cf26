package main

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

const (
	inferMethod = "/" + inferenceService + "/ModelInfer"
	wrongAnswer = "wrong answer"
)

// question is a ModelInfer for one model. Its id occurs in no other, and what a stub echoes neither, so that an
// answer that was meant for another call is seen.
type question struct {
	model, id string
	columns   uint64 // of a real model; 0: it is a stub's
	contents  []byte
	expected  []byte
}

func (e *entrance) question(model int, number uint64) question {
	q := question{model: e.model(model), id: fmt.Sprintf("q%d", number), columns: uint64(e.columns)}
	if e.columns > 0 {
		q.contents = make([]byte, 8*e.columns)
		q.expected = binary.LittleEndian.AppendUint64(nil, uint64(model%e.files))
		return q
	}
	q.contents = binary.LittleEndian.AppendUint64(nil, number)
	q.contents = binary.LittleEndian.AppendUint64(q.contents, ^number)
	q.expected = q.contents
	return q
}

func (q question) tensor() message {
	name, kind, columns := "x", "FP32", uint64(len(q.contents)/4)
	if q.columns > 0 {
		name, kind, columns = "predict", "FP64", q.columns
	}
	shape := protowire.AppendVarint(protowire.AppendVarint(nil, 1), columns)
	return message(nil).withText(1, name).withText(2, kind).withBytes(3, shape)
}

// ask puts it, and takes an answer of anybody else's model or call for wrong.
func (e *entrance) ask(turn int, q question) reply {
	name, headers := "", []string{modelHeader, q.model}
	if e.idBy == "message" {
		name, headers = q.model, nil
	}
	request := message(nil).withText(1, name).withText(3, q.id).withBytes(5, q.tensor()).withBytes(7, q.contents)
	made := e.call(turn, inferMethod, request, headers...)
	if made.code == "" {
		if complaint := q.complaint(made.answer); complaint != "" {
			made.code, made.text = wrongAnswer, complaint
		}
	}
	return made
}

func (q question) complaint(answer message) string {
	var model, id string
	var contents []byte
	for found := range answer.fields() {
		switch found.id {
		case 1:
			model = string(found.bytes)
		case 3:
			id = string(found.bytes)
		case 6:
			contents = found.bytes
		}
	}
	if model != q.model || id != q.id || !bytes.Equal(contents, q.expected) {
		return fmt.Sprintf("%s of %s was answered with %s of %s: %x, not %x", q.id, q.model, id, model, contents, q.expected)
	}
	return ""
}

// servedBy is the runtime that gave the answer.
func servedBy(answer message) string { return answer.text(2) }
