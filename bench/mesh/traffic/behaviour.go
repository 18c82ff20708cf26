package main

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// behaviour is how one model loads, as its path says (reference: ModelMesh core 9.2, and more of our own).
// Several may stand in one path, with a slash between them.
//
//	SIZE_<bytes>_<loadMs>_<unloadMs>  that size, those times
//	LIE_<bytes>                       it tells that size instead of its own
//	FAIL_<text>                       the first load of it fails with that text
//	FAILS_<text>                      every load does
//	CRASH                             the runtime ends while it loads
//	CRASHES_WHEN_ASKED                the runtime ends when it is asked
//	HANG                              the load is never answered
type behaviour struct {
	bytes, told      uint64
	load, unload     time.Duration
	failure          string
	failsAlways      bool
	crashes, hangs   bool
	crashesWhenAsked bool
}

var sized = regexp.MustCompile(`SIZE_(\d+)_(\d+)_(\d+)`)

// behaviourOf reads a path; what it does not say is as `usual`.
func behaviourOf(path string, usual behaviour) behaviour {
	b := usual
	for _, part := range strings.Split(path, "/") {
		word, rest, _ := strings.Cut(part, "_")
		switch {
		case word == "SIZE":
			if found := sized.FindStringSubmatch(part); found != nil {
				b.bytes = number(found[1])
				b.load = time.Duration(number(found[2])) * time.Millisecond
				b.unload = time.Duration(number(found[3])) * time.Millisecond
			}
		case word == "LIE":
			b.told = number(rest)
		case word == "FAIL", word == "FAILS":
			b.failure, b.failsAlways = rest, word == "FAILS"
		case part == "CRASH":
			b.crashes = true
		case part == "CRASHES_WHEN_ASKED":
			b.crashesWhenAsked = true
		case part == "HANG":
			b.hangs = true
		}
	}
	if b.told == 0 {
		b.told = b.bytes
	}
	return b
}

func number(text string) uint64 {
	parsed, _ := strconv.ParseUint(text, 10, 63)
	return parsed
}
