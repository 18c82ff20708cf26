package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// asking puts questions at a rate, whatever is answered (an open loop): who is late delays nobody else, and the
// wait counts from when a question was due.
type asking struct {
	entrance
	rate         float64
	seconds      float64
	models       int
	first        int
	zipf         float64
	seed         uint64
	even         bool
	again        bool
	inflightMost int64

	inflight atomic.Int64
	calls    sync.WaitGroup
	verdict  *verdict
}

// ask asks models of the mesh for so long, or until it is told to stop, and tells what came of it.
func ask(arguments []string) error {
	a := &asking{}
	flags := flag.NewFlagSet("ask", flag.ExitOnError)
	a.declare(flags)
	flags.Float64Var(&a.rate, "rate", 100, "calls begun a second")
	flags.Float64Var(&a.seconds, "seconds", 10, "for so long; 0: until SIGTERM")
	flags.IntVar(&a.models, "models", 100, "how many are asked")
	flags.IntVar(&a.first, "first", 0, "number of the first of them")
	flags.Float64Var(&a.zipf, "zipf", 0, "the Nth model as often as 1/N to the power of this; 0: all alike")
	flags.Uint64Var(&a.seed, "seed", 1, "of which models are asked when")
	flags.BoolVar(&a.even, "even", false, "calls at equal distances; else at random ones (Poisson)")
	flags.BoolVar(&a.again, "again", false, "put a question once more whose connection was lost, as clients do for what may be repeated")
	flags.Int64Var(&a.inflightMost, "inflight-most", 20000, "calls at once beyond which none is begun, but counted as failed")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	if err := a.open(); err != nil {
		return err
	}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM, syscall.SIGINT)
	runtime.GOMAXPROCS(runtime.NumCPU() + 1) // the one that sleeps until the next call is due holds up nobody
	a.verdict = newVerdict(time.Now())
	fmt.Fprintln(os.Stderr, "asking")
	a.schedule(ended)
	a.calls.Wait()
	return tell(a.verdict.outcome())
}

func (a *asking) schedule(ended chan os.Signal) {
	runtime.LockOSThread()
	const setTimerSlack = 29
	_, _, _ = syscall.RawSyscall(syscall.SYS_PRCTL, setTimerSlack, 1, 0)
	random := rand.New(rand.NewPCG(a.seed, 0))
	pick := picking(a.models, a.zipf, random)
	due := a.verdict.began
	for number := uint64(1); ; number++ {
		gap := 1.0
		if !a.even {
			gap = random.ExpFloat64()
		}
		due = due.Add(time.Duration(gap / a.rate * 1e9))
		if a.seconds > 0 && due.Sub(a.verdict.began).Seconds() > a.seconds {
			return
		}
		if wait := time.Until(due); wait > 0 {
			span := syscall.NsecToTimespec(int64(wait))
			_ = syscall.Nanosleep(&span, nil)
		}
		select {
		case <-ended:
			return
		default:
		}
		a.begin(number, due, a.first+pick())
	}
}

func (a *asking) begin(number uint64, due time.Time, model int) {
	if a.inflight.Load() >= a.inflightMost {
		a.verdict.add(due, 0, reply{code: "not begun", text: "too many calls are in flight"}, a.model(model))
		return
	}
	a.inflight.Add(1)
	a.calls.Go(func() {
		defer a.inflight.Add(-1)
		q := a.question(model, number)
		made := a.ask(int(number), q)
		if made.lost && a.again {
			a.verdict.addLost(made.entry)
			made = a.ask(int(number), q)
		}
		a.verdict.add(due, time.Since(due), made, q.model)
	})
}
