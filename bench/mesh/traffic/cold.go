package main

import (
	"flag"
	"fmt"
	"time"
)

// warmCalls follow each first call; the middle one tells what a call takes that loads nothing.
const warmCalls = 3

// coldness is what first calls took beyond warm ones, of the same models.
type coldness struct {
	Models   int            `json:"models"`
	Failed   map[string]int `json:"failed"`
	Examples []string       `json:"examples"`
	First    latencies      `json:"first_ms"`
	Warm     latencies      `json:"warm_ms"`
	Overhead latencies      `json:"overhead_ms"`
}

// cold asks registered models that are not loaded, one after the other, and each again at once.
func cold(arguments []string) error {
	e := &entrance{}
	told := coldness{Failed: map[string]int{}, Examples: []string{}}
	flags := flag.NewFlagSet("cold", flag.ExitOnError)
	e.declare(flags)
	flags.IntVar(&told.Models, "models", 100, "how many")
	first := flags.Int("first", 0, "number of the first of them")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	if err := e.open(); err != nil {
		return err
	}
	var firsts, warms, overheads []time.Duration
	for number := *first; number < *first+told.Models; number++ {
		cold, made := e.timed(number)
		warm := make([]time.Duration, 0, warmCalls)
		for call := 0; call < warmCalls && made.code == ""; call++ {
			var took time.Duration
			took, made = e.timed(number)
			warm = append(warm, took)
		}
		if made.code != "" {
			told.Failed[made.code]++
			if len(told.Examples) < examplesMost {
				told.Examples = append(told.Examples, fmt.Sprintf("%s: %s: %s", e.model(number), made.code, made.text))
			}
			continue
		}
		quantile(warm, 0.5) // sorts them
		firsts, warms = append(firsts, cold), append(warms, warm[len(warm)/2])
		overheads = append(overheads, cold-warm[len(warm)/2])
	}
	told.First, told.Warm, told.Overhead = summed(firsts), summed(warms), summed(overheads)
	return tell(told)
}

func (e *entrance) timed(number int) (time.Duration, reply) {
	q := e.question(number, uint64(number))
	began := time.Now()
	made := e.ask(0, q)
	return time.Since(began), made
}
