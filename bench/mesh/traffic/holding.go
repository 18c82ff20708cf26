package main

import (
	"context"
	"fmt"
	"os"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// crashStatus is what the process ends with when a model crashes it.
const crashStatus = 70

// figures is what a runtime tells of itself.
type figures struct {
	Name        string `json:"name"`
	Pid         int    `json:"pid"`
	Held        int    `json:"held"`
	HeldBytes   uint64 `json:"held_bytes"`
	MostBytes   uint64 `json:"held_bytes_most"`
	Loading     int    `json:"loading"`
	LoadingMost int    `json:"loading_most"`
	Loads       int    `json:"loads"`
	LoadsFailed int    `json:"loads_failed"`
	Unloads     int    `json:"unloads"`
	Purges      int    `json:"purges"`
	Served      int64  `json:"served"`
	NotHeld     int64  `json:"not_held"`
}

// holding is the models of a runtime. Memory that is being loaded into, or not yet given back, counts as held.
type holding struct {
	mu     sync.RWMutex
	usual  behaviour
	models map[string]behaviour
	failed map[string]string // by model, the path with which its first load has failed
	told   figures

	served, notHeld atomic.Int64
}

func newHolding(name string, usual behaviour) *holding {
	return &holding{
		usual: usual, models: map[string]behaviour{}, failed: map[string]string{},
		told: figures{Name: name, Pid: os.Getpid()},
	}
}

// load holds a model after the time that it takes; gives the size that it tells.
func (h *holding) load(ctx context.Context, model, path string) (uint64, error) {
	b := h.begin(path)
	err := h.wait(ctx, model, path, b)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.told.Loading--
	if err != nil {
		h.told.LoadsFailed++
		h.told.HeldBytes -= b.bytes
		return 0, err
	}
	if before, again := h.models[model]; again {
		h.told.HeldBytes -= before.bytes
	}
	h.models[model] = b
	h.told.Loads++
	return b.told, nil
}

func (h *holding) begin(path string) behaviour {
	h.mu.Lock()
	defer h.mu.Unlock()
	b := behaviourOf(path, h.usual)
	h.told.Loading++
	h.told.LoadingMost = max(h.told.LoadingMost, h.told.Loading)
	h.told.HeldBytes += b.bytes
	h.told.MostBytes = max(h.told.MostBytes, h.told.HeldBytes)
	return b
}

func (h *holding) wait(ctx context.Context, model, path string, b behaviour) error {
	if b.hangs {
		<-ctx.Done()
		return status.FromContextError(ctx.Err()).Err()
	}
	if b.load > 0 {
		select {
		case <-ctx.Done():
			return status.FromContextError(ctx.Err()).Err()
		case <-time.After(b.load):
		}
	}
	if b.crashes {
		crash(model)
	}
	if b.failure != "" && (b.failsAlways || h.isFirstFailure(model, path)) {
		return status.Error(codes.Internal, b.failure)
	}
	return nil
}

func (h *holding) isFirstFailure(model, path string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	first := h.failed[model] != path
	h.failed[model] = path
	return first
}

func (h *holding) unload(model string) {
	h.mu.Lock()
	b, held := h.models[model]
	delete(h.models, model)
	h.mu.Unlock()
	if !held {
		return
	}
	time.Sleep(b.unload)
	h.mu.Lock()
	h.told.Unloads++
	h.told.HeldBytes -= b.bytes
	h.mu.Unlock()
}

// asked is whether the model is held; a call for it is counted.
func (h *holding) asked(model string) bool {
	h.mu.RLock()
	b, held := h.models[model]
	h.mu.RUnlock()
	if held && b.crashesWhenAsked {
		crash(model)
	}
	if held {
		h.served.Add(1)
	} else {
		h.notHeld.Add(1)
	}
	return held
}

// size is what the model tells of its size, if it is held.
func (h *holding) size(model string) (uint64, bool) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	b, held := h.models[model]
	return b.told, held
}

// purge forgets these models, or all, as a runtime does that was started anew.
func (h *holding) purge(models ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(models) == 0 {
		for model := range h.models {
			models = append(models, model)
		}
	}
	for _, model := range models {
		h.told.HeldBytes -= h.models[model].bytes
		delete(h.models, model)
	}
	h.told.Purges++
}

func (h *holding) behave(change func(usual *behaviour)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	change(&h.usual)
}

func (h *holding) figures() figures {
	h.mu.RLock()
	defer h.mu.RUnlock()
	told := h.told
	told.Held, told.Served, told.NotHeld = len(h.models), h.served.Load(), h.notHeld.Load()
	return told
}

func (h *holding) names() []string {
	h.mu.RLock()
	names := make([]string, 0, len(h.models))
	for model := range h.models {
		names = append(names, model)
	}
	h.mu.RUnlock()
	sort.Strings(names)
	return names
}

func crash(model string) {
	fmt.Fprintf(os.Stderr, "crashed by %s\n", model)
	os.Exit(crashStatus)
}
