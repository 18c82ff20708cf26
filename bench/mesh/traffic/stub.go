package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
)

// States of mmesh.RuntimeStatusResponse.
const (
	statusStarting = 0
	statusReady    = 1
)

// stubRuntime is a runtime without models: ModelMesh's SPI, and ModelInfer of the models that it was told to load.
type stubRuntime struct {
	holding      *holding
	name         string
	capacity     uint64
	modelBytes   uint64
	slots        int
	loadTimeout  time.Duration
	concurrency  int
	sizeLater    bool
	methods      string
	readyAt      time.Time
	inferenceFor atomic.Int64 // nanoseconds
}

// stub serves until it is told to end.
func stub(arguments []string) error {
	r := &stubRuntime{}
	flags := flag.NewFlagSet("stub", flag.ExitOnError)
	listen := flags.String("listen", "127.0.0.1:0", "HOST:PORT or unix:PATH for gRPC")
	telling := flags.String("tell", "127.0.0.1:0", "HOST:PORT for HTTP: GET /figures, GET /models, POST /forget, POST /behave")
	flags.StringVar(&r.name, "name", "stub", "told in each answer, as the model's version")
	flags.Uint64Var(&r.capacity, "capacity", 1<<30, "bytes")
	flags.Uint64Var(&r.modelBytes, "model-bytes", 1<<20, "size of a model whose path does not tell it")
	flags.IntVar(&r.slots, "loading", 8, "how many loads it takes at once")
	flags.DurationVar(&r.loadTimeout, "load-timeout", 90*time.Second, "the longest load, as it tells the mesh")
	flags.IntVar(&r.concurrency, "concurrency", 0, "calls at once to one model, as it tells the mesh; 0: no limit")
	flags.BoolVar(&r.sizeLater, "size-later", false, "a load does not tell the size; the mesh has to ask")
	flags.StringVar(&r.methods, "methods", "", "METHOD=1,2;METHOD=: the methods it names, and where the model's id goes")
	load := flags.Duration("load", 0, "how long a load takes")
	unload := flags.Duration("unload", 0, "how long an unload takes")
	inference := flags.Duration("inference", 0, "how long an answer takes")
	readyAfter := flags.Duration("ready-after", 0, "how long it is STARTING")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	runtime.GOMAXPROCS(1) // several stand on a few cores, and a second one would mostly look for work
	r.inferenceFor.Store(int64(*inference))
	r.readyAt = time.Now().Add(*readyAfter)
	r.holding = newHolding(r.name, behaviour{bytes: r.modelBytes, load: *load, unload: *unload})
	if err := serveTelling(*telling, r); err != nil {
		return err
	}
	listener, err := listenAt(*listen)
	if err != nil {
		return err
	}
	server, told := r.server(), make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		<-told
		server.Stop()
	}()
	return server.Serve(listener)
}

func listenAt(place string) (net.Listener, error) {
	if path, isSocket := strings.CutPrefix(place, "unix:"); isSocket {
		_ = os.Remove(path)
		return net.Listen("unix", path)
	}
	return net.Listen("tcp", place)
}

func (r *stubRuntime) server() *grpc.Server {
	server := grpc.NewServer(grpc.MaxRecvMsgSize(64 << 20))
	offer(server, runtimeService, map[string]unary{
		"runtimeStatus": r.runtimeStatus, "loadModel": r.loadModel, "unloadModel": r.unloadModel,
		"modelSize": r.modelSize, "predictModelSize": r.predictModelSize,
	})
	offer(server, inferenceService, map[string]unary{"ModelInfer": r.modelInfer})
	return server
}

// unary answers one encoded message with another.
type unary func(ctx context.Context, request message) (message, error)

func offer(server *grpc.Server, service string, methods map[string]unary) {
	described := grpc.ServiceDesc{ServiceName: service, HandlerType: (*any)(nil)}
	for name, answer := range methods {
		described.Methods = append(described.Methods, grpc.MethodDesc{
			MethodName: name,
			Handler: func(_ any, ctx context.Context, read func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
				var request message
				if err := read(&request); err != nil {
					return nil, err
				}
				return answer(ctx, request)
			},
		})
	}
	server.RegisterService(&described, nil)
}

func (r *stubRuntime) runtimeStatus(context.Context, message) (message, error) {
	state := uint64(statusStarting)
	if !time.Now().Before(r.readyAt) {
		state = statusReady
		r.holding.purge() // the SPI: before it says READY, it has dropped every model
	}
	answer := message(nil).withNumber(1, state).withNumber(2, r.capacity).withNumber(3, uint64(r.slots))
	answer = answer.withNumber(4, uint64(r.loadTimeout.Milliseconds())).withNumber(5, r.modelBytes)
	answer = answer.withText(6, "stub")
	for _, method := range strings.Split(r.methods, ";") {
		if name, path, _ := strings.Cut(method, "="); name != "" {
			answer = answer.withBytes(8, message(nil).withText(1, name).withBytes(2, methodInfo(path)))
		}
	}
	return answer.withTruth(9, r.concurrency > 0), nil
}

func methodInfo(path string) []byte {
	var packed []byte
	for _, step := range strings.Split(path, ",") {
		if step != "" {
			packed = protowire.AppendVarint(packed, number(step))
		}
	}
	if packed == nil {
		return nil
	}
	return message(nil).withBytes(1, packed)
}

func (r *stubRuntime) loadModel(ctx context.Context, request message) (message, error) {
	size, err := r.holding.load(ctx, request.text(1), request.text(3))
	if err != nil {
		return nil, err
	}
	if r.sizeLater {
		size = 0
	}
	return message(nil).withNumber(1, size).withNumber(2, uint64(r.concurrency)), nil
}

func (r *stubRuntime) unloadModel(_ context.Context, request message) (message, error) {
	r.holding.unload(request.text(1))
	return message{}, nil
}

func (r *stubRuntime) modelSize(_ context.Context, request message) (message, error) {
	size, held := r.holding.size(request.text(1))
	if !held {
		return nil, notHeld(request.text(1))
	}
	return message(nil).withNumber(1, size), nil
}

func (r *stubRuntime) predictModelSize(context.Context, message) (message, error) {
	return nil, status.Error(codes.Unimplemented, "sizes are not predicted here")
}

// modelInfer answers with the model's name, its own as the version, and what it was sent.
func (r *stubRuntime) modelInfer(ctx context.Context, request message) (message, error) {
	model := named(ctx)
	answer := message(nil)
	for found := range request.fields() {
		switch found.id {
		case 1:
			if model == "" {
				model = string(found.bytes)
			}
		case 3:
			answer = answer.withBytes(3, found.bytes)
		case 7:
			answer = answer.withBytes(6, found.bytes)
		}
	}
	if !r.holding.asked(model) {
		return nil, notHeld(model)
	}
	if takes := r.inferenceFor.Load(); takes > 0 {
		time.Sleep(time.Duration(takes))
	}
	return answer.withText(1, model).withText(2, r.name), nil
}

func named(ctx context.Context) string {
	for _, header := range []string{modelHeader, modelHeader + "-bin"} {
		if values := metadata.ValueFromIncomingContext(ctx, header); len(values) > 0 {
			return values[0]
		}
	}
	return ""
}

func notHeld(model string) error {
	return status.Error(codes.NotFound, fmt.Sprintf("model %q is not loaded", model))
}
