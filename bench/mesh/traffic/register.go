package main

import (
	"flag"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	registerMethod = "/" + managementService + "/registerModel"
	statusFailed   = 4 // mmesh.ModelStatusInfo.LOADING_FAILED
	statusLoaded   = 3
)

// registered is what registering has come to.
type registered struct {
	Models   int            `json:"models"`
	Seconds  float64        `json:"seconds"`
	Rate     float64        `json:"models_per_s"`
	Failed   map[string]int `json:"failed"`
	Examples []string       `json:"examples"`
	P50      float64        `json:"p50_ms"`
	P99      float64        `json:"p99_ms"`
	Max      float64        `json:"max_ms"`
}

type registering struct {
	entrance
	kind, path, key string
	load, sync      bool

	mu        sync.Mutex
	result    registered
	durations []time.Duration
}

// register registers models, with so many calls in flight, and may have them loaded.
func register(arguments []string) error {
	r := &registering{result: registered{Failed: map[string]int{}, Examples: []string{}}}
	flags := flag.NewFlagSet("register", flag.ExitOnError)
	r.declare(flags)
	flags.IntVar(&r.result.Models, "models", 1000, "how many")
	first := flags.Int("first", 0, "number of the first of them")
	inflight := flags.Int("inflight", 32, "calls at once")
	flags.StringVar(&r.kind, "type", "stub", "of each model")
	flags.StringVar(&r.path, "path", "stub", "of each model: how it behaves (behaviour.go); {} is the number of its file")
	flags.StringVar(&r.key, "key", "", "of each model")
	flags.BoolVar(&r.load, "load", true, "have each loaded")
	flags.BoolVar(&r.sync, "sync", true, "and wait until it is")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	if err := r.open(); err != nil {
		return err
	}
	var next atomic.Int64
	var workers sync.WaitGroup
	began := time.Now()
	for worker := 0; worker < *inflight; worker++ {
		workers.Go(func() {
			for number := next.Add(1) - 1; number < int64(r.result.Models); number = next.Add(1) - 1 {
				r.one(*first + int(number))
			}
		})
	}
	workers.Wait()
	r.result.Seconds = time.Since(began).Seconds()
	r.result.Rate = float64(r.result.Models) / r.result.Seconds
	r.result.P50, r.result.P99, r.result.Max = quantile(r.durations, 0.5), quantile(r.durations, 0.99), quantile(r.durations, 1)
	return tell(r.result)
}

func (r *registering) one(number int) {
	model, path := r.model(number), strings.ReplaceAll(r.path, "{}", strconv.Itoa(number%r.files))
	info := message(nil).withText(1, r.kind).withText(2, path).withText(3, r.key)
	request := message(nil).withText(1, model).withBytes(2, info).withTruth(3, r.load).withTruth(4, r.load && r.sync)
	began := time.Now()
	made := r.call(number, registerMethod, request)
	took := time.Since(began)
	if made.code == "" {
		made.code, made.text = r.complaint(made.answer)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.durations = append(r.durations, took)
	if made.code == "" {
		return
	}
	r.result.Failed[made.code]++
	if len(r.result.Examples) < examplesMost {
		r.result.Examples = append(r.result.Examples, fmt.Sprintf("%s: %s: %s", model, made.code, made.text))
	}
}

// complaint is what the status in the answer has against it: to wait for a load means to see it LOADED.
func (r *registering) complaint(answer message) (code, text string) {
	state, errors := uint64(0), ""
	for found := range answer.fields() {
		switch found.id {
		case 1:
			state = found.number
		case 2:
			errors = string(found.bytes)
		}
	}
	if state == statusFailed || r.load && r.sync && state != statusLoaded {
		return fmt.Sprintf("status %d", state), errors
	}
	return "", ""
}
