package main

import (
	"context"
	"flag"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
	"google.golang.org/grpc/status"
)

const connectPatience = 10 * time.Second

// entrance is how clients come into the mesh: gRPC channels that each spread their calls over all addresses in
// turns (round_robin), as clients of a headless service do. An instance that says GOAWAY gets no more calls, and
// what it has not begun is sent elsewhere, by gRPC itself.
type entrance struct {
	addresses   string
	connections int
	deadline    time.Duration
	ping        time.Duration
	idBy        string
	prefix      string
	columns     int
	files       int

	channels []*grpc.ClientConn
}

func (e *entrance) declare(flags *flag.FlagSet) {
	flags.StringVar(&e.addresses, "addresses", "", "HOST:PORT,... of the instances")
	flags.IntVar(&e.connections, "connections", 1, "to each of them")
	flags.DurationVar(&e.deadline, "deadline", 10*time.Second, "of a call")
	flags.DurationVar(&e.ping, "ping", 0, "a connection silent for so long is pinged, and given up as long after; 0: never, else 10s at least")
	flags.StringVar(&e.idBy, "id", "header", "where the model is named: header (mm-model-id) or message")
	flags.StringVar(&e.prefix, "prefix", "m", "model N is named PREFIX and N")
	flags.IntVar(&e.columns, "columns", 0, "real models: they take one row of so many FP64; 0: a stub echoes what it is sent")
	flags.IntVar(&e.files, "files", 1, "real models: N is made of file N modulo this, and always answers that number")
}

func (e *entrance) open() error {
	if e.addresses == "" || e.idBy != "header" && e.idBy != "message" {
		return fmt.Errorf("-addresses HOST:PORT,... is needed, and -id is header or message")
	}
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultServiceConfig(`{"loadBalancingConfig": [{"round_robin": {}}]}`),
		grpc.WithDisableServiceConfig(),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: time.Second},
			MinConnectTimeout: time.Second,
		}),
	}
	if e.ping > 0 {
		options = append(options, grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: e.ping, Timeout: e.ping}))
	}
	for number := 0; number < e.connections; number++ {
		instances := manual.NewBuilderWithScheme("mesh")
		instances.InitialState(resolver.State{Addresses: e.resolved()})
		channel, err := grpc.NewClient("mesh:///instances", append(options, grpc.WithResolvers(instances))...)
		if err != nil {
			return err
		}
		e.channels = append(e.channels, channel)
	}
	return e.connect()
}

func (e *entrance) resolved() (addresses []resolver.Address) {
	for _, address := range strings.Split(e.addresses, ",") {
		addresses = append(addresses, resolver.Address{Addr: address})
	}
	return addresses
}

// connect waits until every channel has a connection; the others of each are on their way then.
func (e *entrance) connect() error {
	ctx, cancel := context.WithTimeout(context.Background(), connectPatience)
	defer cancel()
	for _, channel := range e.channels {
		channel.Connect()
		for state := channel.GetState(); state != connectivity.Ready; state = channel.GetState() {
			if !channel.WaitForStateChange(ctx, state) {
				return fmt.Errorf("none of %s lets itself be connected to in %v", e.addresses, connectPatience)
			}
		}
	}
	time.Sleep(100 * time.Millisecond)
	return nil
}

func (e *entrance) model(number int) string { return fmt.Sprintf("%s%d", e.prefix, number) }

// reply is how one call ended.
type reply struct {
	answer message
	entry  string // the address that it went to; empty: to none
	code   string // empty: it was answered
	text   string
	lost   bool // the connection ended before an answer: the instance did not say that it failed
}

// Beside the codes of gRPC: UNAVAILABLE that no server has said.
const (
	connectionLost = "connection lost"
	notConnected   = "not connected" // to any instance
)

// call makes one unary call over the channel whose turn it is.
func (e *entrance) call(turn int, method string, request message, headers ...string) reply {
	ctx, cancel := context.WithTimeout(context.Background(), e.deadline)
	defer cancel()
	if len(headers) > 0 {
		ctx = metadata.AppendToOutgoingContext(ctx, headers...)
	}
	var made reply
	var whither peer.Peer
	var head, tail metadata.MD
	err := e.channels[turn%len(e.channels)].Invoke(
		ctx, method, request, &made.answer, grpc.Peer(&whither), grpc.Header(&head), grpc.Trailer(&tail))
	if whither.Addr != nil {
		made.entry = whither.Addr.String()
	}
	if err == nil {
		return made
	}
	told := status.Convert(err)
	made.code, made.text = codeName(told.Code()), told.Message()
	if told.Code() == codes.Unavailable && len(head)+len(tail) == 0 {
		made.lost = made.entry != ""
		made.code = notConnected
		if made.lost {
			made.code = connectionLost
		}
	}
	return made
}

// codeName is the code as gRPC's documents write it.
func codeName(code codes.Code) string {
	names := [...]string{
		"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
		"PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE",
		"UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
	}
	if int(code) < len(names) {
		return names[code]
	}
	return code.String()
}
