// Traffic is both ends of the data plane bench: a backend that answers unary gRPC calls at once, and a load
// generator. Both speak HTTP/2 with as little work as Go allows, so that what is between them is the limit.
package main

import (
	"fmt"
	"os"
	"runtime/debug"
)

func main() {
	debug.SetGCPercent(400)
	if len(os.Args) < 2 {
		fail(fmt.Errorf("say which: backend or load"))
	}
	switch end, flags := os.Args[1], os.Args[2:]; end {
	case "backend":
		fail(backend(flags))
	case "load":
		fail(load(flags))
	default:
		fail(fmt.Errorf("%q is neither backend nor load", end))
	}
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "traffic:", err)
		os.Exit(1)
	}
}
