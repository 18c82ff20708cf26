package main

import (
	"fmt"
	"slices"
	"sync"
	"time"
)

const examplesMost = 10

// outcome is printed as JSON. Latencies are those of calls that were answered well.
type outcome struct {
	latencies
	Count        int               `json:"count"`
	Failed       int               `json:"failed"`
	FailedByCode map[string]int    `json:"failed_by_code"`
	Wrong        int               `json:"wrong"`
	AskedAgain   int               `json:"asked_again"`
	Seconds      float64           `json:"seconds"`
	Rate         float64           `json:"rate"`
	Entries      map[string]*entry `json:"entries"`
	Runtimes     map[string]int    `json:"runtimes"`
	P99BySecond  []float64         `json:"p99_ms_by_second"`
	FailedAt     []int             `json:"failed_by_second"`
	Examples     []string          `json:"examples"`
}

type latencies struct {
	P50  float64 `json:"p50_ms"`
	P90  float64 `json:"p90_ms"`
	P99  float64 `json:"p99_ms"`
	P999 float64 `json:"p999_ms"`
	Max  float64 `json:"max_ms"`
}

// entry is what entered through one instance.
type entry struct {
	latencies
	Count        int            `json:"count"`
	Failed       int            `json:"failed"`
	FailedByCode map[string]int `json:"failed_by_code"`
	Wrong        int            `json:"wrong"`
	Lost         int            `json:"lost_and_asked_again"`

	took []time.Duration
}

// nowhere is the entry of calls for which there was no connection.
const nowhere = "none"

// verdict is made of every call of a run.
type verdict struct {
	began time.Time

	mu      sync.Mutex
	told    outcome
	took    []time.Duration
	seconds [][]time.Duration
}

func newVerdict(began time.Time) *verdict {
	return &verdict{began: began, told: outcome{
		FailedByCode: map[string]int{}, Entries: map[string]*entry{}, Runtimes: map[string]int{}, Examples: []string{},
	}}
}

func (v *verdict) add(due time.Time, took time.Duration, made reply, model string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	second := max(int(due.Sub(v.began).Seconds()), 0)
	for len(v.seconds) <= second {
		v.seconds = append(v.seconds, nil)
		v.told.FailedAt = append(v.told.FailedAt, 0)
	}
	through := v.entry(made.entry)
	v.told.Count++
	through.Count++
	if made.code == "" {
		v.took = append(v.took, took)
		v.seconds[second] = append(v.seconds[second], took)
		through.took = append(through.took, took)
		v.told.Runtimes[servedBy(made.answer)]++
		return
	}
	if made.code == wrongAnswer {
		v.told.Wrong++
		through.Wrong++
	}
	v.told.Failed++
	v.told.FailedByCode[made.code]++
	v.told.FailedAt[second]++
	through.Failed++
	through.FailedByCode[made.code]++
	if len(v.told.Examples) < examplesMost {
		at := due.Sub(v.began).Seconds()
		v.told.Examples = append(v.told.Examples, fmt.Sprintf("%.3f s, %s, %s: %s: %s", at, made.entry, model, made.code, made.text))
	}
}

// addLost counts a connection that was lost under a call that is made again.
func (v *verdict) addLost(address string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.told.AskedAgain++
	v.entry(address).Lost++
}

func (v *verdict) entry(address string) *entry {
	if address == "" {
		address = nowhere
	}
	found := v.told.Entries[address]
	if found == nil {
		found = &entry{FailedByCode: map[string]int{}}
		v.told.Entries[address] = found
	}
	return found
}

func (v *verdict) outcome() outcome {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.told.Seconds = time.Since(v.began).Seconds()
	v.told.Rate = float64(v.told.Count) / v.told.Seconds
	v.told.latencies = summed(v.took)
	for _, through := range v.told.Entries {
		through.latencies = summed(through.took)
	}
	for _, second := range v.seconds {
		v.told.P99BySecond = append(v.told.P99BySecond, quantile(second, 0.99))
	}
	return v.told
}

func summed(took []time.Duration) latencies {
	return latencies{
		P50: quantile(took, 0.5), P90: quantile(took, 0.9), P99: quantile(took, 0.99),
		P999: quantile(took, 0.999), Max: quantile(took, 1),
	}
}

// quantile is in milliseconds; 0 of nothing. It sorts what it is given.
func quantile(took []time.Duration, part float64) float64 {
	if len(took) == 0 {
		return 0
	}
	slices.Sort(took)
	place := min(int(part*float64(len(took))), len(took)-1)
	return float64(took[place].Nanoseconds()) / 1e6
}
