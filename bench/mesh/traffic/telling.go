package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"time"
)

// serveTelling tells over HTTP what a runtime holds and has done, and lets a test change it behind the mesh's back.
//
//	GET  /figures                                counts
//	GET  /models                                 the names of what it holds, sorted
//	POST /forget?model=NAME&model=...            as if these had never been loaded; without a name, all
//	POST /behave?load=5ms&unload=..&inference=.. from now on, unless a model's path says otherwise
func serveTelling(address string, r *stubRuntime) error {
	routes := http.NewServeMux()
	routes.HandleFunc("GET /figures", func(to http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(to).Encode(r.holding.figures())
	})
	routes.HandleFunc("GET /models", func(to http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(to).Encode(r.holding.names())
	})
	routes.HandleFunc("POST /forget", func(_ http.ResponseWriter, asked *http.Request) {
		r.holding.purge(asked.URL.Query()["model"]...)
	})
	routes.HandleFunc("POST /behave", func(to http.ResponseWriter, asked *http.Request) {
		if err := r.behave(asked); err != nil {
			http.Error(to, err.Error(), http.StatusBadRequest)
		}
	})
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	go func() { end(http.Serve(listener, routes)) }()
	return nil
}

func (r *stubRuntime) behave(asked *http.Request) error {
	for name, values := range asked.URL.Query() {
		takes, err := time.ParseDuration(values[0])
		if err != nil {
			return err
		}
		switch name {
		case "load":
			r.holding.behave(func(usual *behaviour) { usual.load = takes })
		case "unload":
			r.holding.behave(func(usual *behaviour) { usual.unload = takes })
		case "inference":
			r.inferenceFor.Store(int64(takes))
		default:
			return fmt.Errorf("%q is none of load, unload, inference", name)
		}
	}
	return nil
}
