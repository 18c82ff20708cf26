module remesh/bench/traffic

go 1.24

require golang.org/x/net v0.40.0
