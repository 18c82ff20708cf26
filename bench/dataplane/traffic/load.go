package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand"
	"net"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/net/http2/hpack"
)

// plan is what the generator was asked for.
type plan struct {
	address  string
	calls    int64
	conns    int
	inflight int
	rate     float64
	varying  bool
	huffman  bool
	fixed    headerFlags
	body     []byte
	patience time.Duration
}

// outcome is printed as JSON.
type outcome struct {
	Calls   int                `json:"calls"`
	Failed  map[string]int     `json:"failed"`
	Bytes   int64              `json:"received_bytes"`
	Seconds float64            `json:"seconds"`
	CPU     float64            `json:"cpu_s"`
	Latency map[string]float64 `json:"latency_us"`
}

func load(arguments []string) error {
	plan, err := planned(arguments)
	if err != nil {
		return err
	}
	run := &generating{plan: plan, failed: map[string]int{}, done: make(chan error, 1)}
	run.latencies = make([]time.Duration, 0, plan.calls)
	began := time.Now()
	if err := run.start(); err != nil {
		return err
	}
	select {
	case err = <-run.done:
	case <-time.After(plan.patience):
		err = fmt.Errorf("not done after %v", plan.patience)
	}
	took := time.Since(began)
	run.mu.Lock()
	defer run.mu.Unlock()
	if err != nil {
		return fmt.Errorf("%d of %d calls were answered, then: %w", len(run.latencies), plan.calls, err)
	}
	return json.NewEncoder(os.Stdout).Encode(run.outcome(took))
}

func planned(arguments []string) (*plan, error) {
	p := &plan{}
	flags := flag.NewFlagSet("load", flag.ExitOnError)
	flags.StringVar(&p.address, "address", "", "host:port")
	flags.Int64Var(&p.calls, "calls", 1000, "how many calls in all")
	flags.IntVar(&p.conns, "connections", 1, "over how many connections")
	flags.IntVar(&p.inflight, "inflight", 1, "calls at once, over all connections (closed loop)")
	flags.Float64Var(&p.rate, "rate", 0, "calls begun a second whatever is answered (open loop); 0: closed loop")
	flags.BoolVar(&p.varying, "varying", false, "headers that differ in each call")
	flags.BoolVar(&p.huffman, "huffman", false, "header strings in Huffman code, as Go's clients send them")
	flags.Var(&p.fixed, "header", "`name: value` in each call; may be repeated")
	path := flags.String("path", method, "the method")
	message := flags.String("body", "", "file with the message, its gRPC prefix before it")
	flags.DurationVar(&p.patience, "patience", time.Minute, "the run fails if it takes longer")
	if err := flags.Parse(arguments); err != nil {
		return nil, err
	}
	p.fixed = append(headerFlags{ // as gRPC's C core sends them
		{Name: ":scheme", Value: "http"}, {Name: ":method", Value: "POST"},
		{Name: ":authority", Value: p.address}, {Name: ":path", Value: *path},
		{Name: "te", Value: "trailers"}, {Name: "content-type", Value: "application/grpc"},
		{Name: "user-agent", Value: "grpc-python/1.81.1 grpc-c/54.0.0 (linux; chttp2)"},
		{Name: "grpc-accept-encoding", Value: "identity, deflate, gzip"},
	}, p.fixed...)
	var err error
	p.body, err = os.ReadFile(*message)
	return p, err
}

// generating is one run over all its connections.
type generating struct {
	*plan
	begun     atomic.Int64
	mu        sync.Mutex
	latencies []time.Duration
	failed    map[string]int
	bytes     int64
	done      chan error
}

func (g *generating) start() error {
	ready := make(chan *calling, g.conns)
	for number := 0; number < g.conns; number++ {
		raw, err := net.DialTimeout("tcp", g.address, 5*time.Second)
		if err != nil {
			return err
		}
		share := g.inflight / g.conns
		if number < g.inflight%g.conns {
			share++
		}
		c := &calling{run: g, number: number, share: share, next: 1, ready: ready}
		c.conn = newConn(raw, true)
		c.conn.events = c
		c.conn.decoder = hpack.NewDecoder(4096, c.field)
		go func() {
			if err := c.conn.run(); err != nil {
				g.end(err)
			}
		}()
	}
	if g.rate > 0 {
		runtime.GOMAXPROCS(3) // the one that sleeps until the next call is due holds up nobody
		go g.schedule(ready)
	}
	return nil
}

func (g *generating) end(err error) {
	select {
	case g.done <- err:
	default:
	}
}

// schedule begins calls at their times: the gaps are drawn from an exponential distribution (Poisson arrivals),
// the same in every run. A call's latency counts from when it was due, not from when it could be sent.
func (g *generating) schedule(ready chan *calling) {
	runtime.LockOSThread()
	const setTimerSlack = 29
	_, _, _ = syscall.RawSyscall(syscall.SYS_PRCTL, setTimerSlack, 1, 0)
	conns := make([]*calling, g.conns)
	for place := range conns {
		conns[place] = <-ready
	}
	random := rand.New(rand.NewSource(1))
	due := time.Now().Add(10 * time.Millisecond)
	for number := int64(0); number < g.calls; number++ {
		due = due.Add(time.Duration(random.ExpFloat64() / g.rate * 1e9))
		if wait := time.Until(due); wait > 0 {
			span := syscall.NsecToTimespec(int64(wait))
			_ = syscall.Nanosleep(&span, nil)
		}
		c := conns[number%int64(len(conns))]
		c.conn.mu.Lock()
		c.begin(due)
		c.conn.mu.Unlock()
		c.conn.flush()
	}
}

// calling is the generator's end of one connection.
type calling struct {
	run     *generating
	conn    *conn
	number  int
	share   int
	next    uint32
	ready   chan *calling
	encoder *requestHeaders
	status  string
	text    string
	began   map[uint32]time.Time
}

func (c *calling) field(field hpack.HeaderField) {
	switch field.Name {
	case "grpc-status":
		c.status = field.Value
	case "grpc-message":
		c.text = field.Value
	case ":status":
		c.text = "HTTP status " + field.Value
	}
}

// settled begins the calls once the peer has said what it takes.
func (c *calling) settled() {
	c.conn.mu.Lock()
	defer c.conn.mu.Unlock()
	c.encoder = newRequestHeaders(c.run.fixed, c.conn.tableMax, c.run.varying, c.run.huffman, uint64(c.number)<<32+1)
	c.began = map[uint32]time.Time{}
	if c.conn.streamsMax < uint32(c.share) {
		c.run.end(fmt.Errorf("%d calls at once on a connection, and the server takes %d", c.share, c.conn.streamsMax))
		return
	}
	if c.run.rate > 0 {
		c.ready <- c
		return
	}
	for slot := 0; slot < c.share && c.take(); slot++ {
		c.begin(time.Now())
	}
}

func (c *calling) take() bool { return c.run.begun.Add(1) <= c.run.calls }

// begin sends one call; with the connection's mu held.
func (c *calling) begin(due time.Time) {
	s := &stream{id: c.next, window: c.conn.initial}
	c.next += 2
	c.conn.streams[s.id] = s
	c.began[s.id] = due
	fields := c.encoder.next()
	c.conn.out = appendHeader(c.conn.out, len(fields), frameHeaders, flagEndHeaders, s.id)
	c.conn.send(s, fields, c.run.body, nil)
}

func (c *calling) opened(uint32) *stream { return nil }

func (c *calling) headers(stream *stream, ends bool) {
	if ends {
		c.finish(stream, c.status)
	}
}

func (c *calling) data(stream *stream, payload []byte, ends bool) {
	stream.received += len(payload)
	if ends {
		c.finish(stream, "none")
	}
}

func (c *calling) reset(stream *stream, code uint32) {
	c.text = ""
	c.finish(stream, fmt.Sprintf("reset %d", code))
}

func (c *calling) goAway(_, code uint32) {
	if code != 0 {
		c.run.end(fmt.Errorf("GOAWAY with code %d", code))
		return
	}
	c.run.end(errors.New("the server goes away; let its limit of calls for a connection be higher"))
}

func (c *calling) finish(stream *stream, status string) {
	now := time.Now()
	c.conn.remove(stream)
	c.conn.mu.Lock()
	due := c.began[stream.id]
	delete(c.began, stream.id)
	if c.run.rate == 0 && c.take() {
		c.begin(now)
	}
	c.conn.mu.Unlock()
	c.run.count(now.Sub(due), status, c.text, stream.received)
	c.status, c.text = "none", ""
}

func (g *generating) count(took time.Duration, status, text string, received int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.bytes += int64(received)
	if status != "0" {
		g.failed["grpc-status "+status+": "+text]++
	}
	g.latencies = append(g.latencies, took)
	if int64(len(g.latencies)) == g.calls {
		g.end(nil)
	}
}

func (g *generating) outcome(took time.Duration) outcome {
	slices.Sort(g.latencies)
	var used syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &used)
	told := map[string]float64{}
	for name, part := range map[string]float64{"p50": 0.5, "p90": 0.9, "p99": 0.99, "p999": 0.999, "max": 1} {
		place := min(int(part*float64(len(g.latencies))), len(g.latencies)-1)
		told[name] = float64(g.latencies[place].Nanoseconds()) / 1e3
	}
	return outcome{
		Calls: len(g.latencies), Failed: g.failed, Bytes: g.bytes, Seconds: took.Seconds(), Latency: told,
		CPU: time.Duration(used.Utime.Nano() + used.Stime.Nano()).Seconds(),
	}
}
