// Traffic is what stands on both sides of a mesh in its benches and fault tests: a runtime with ModelMesh's SPI
// that holds no real models, and clients that register models, ask them at a steady rate, or ask them cold.
//
// Both are grpc-go as it is. Messages are read and written field by field (wire.go), so nothing is generated.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime/debug"
)

func main() {
	debug.SetGCPercent(400)
	if len(os.Args) < 2 {
		end(fmt.Errorf("say which: stub, register, ask or cold"))
	}
	deeds := map[string]func([]string) error{"stub": stub, "register": register, "ask": ask, "cold": cold}
	deed := deeds[os.Args[1]]
	if deed == nil {
		end(fmt.Errorf("%q is none of stub, register, ask, cold", os.Args[1]))
	}
	end(deed(os.Args[2:]))
}

func end(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "traffic:", err)
		os.Exit(1)
	}
}

// tell prints a result as one line of JSON.
func tell(result any) error {
	return json.NewEncoder(os.Stdout).Encode(result)
}
