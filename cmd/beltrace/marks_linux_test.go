// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"testing"

	"beltrace/internal/testkit"
)

// TestTraceSeesMarks: the notes of a demo's server that runs by itself.
func TestTraceSeesMarks(t *testing.T) {
	testkit.Root(t)
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().(*net.TCPAddr)
	l.Close()
	server := start(t, nil, "demo", "request-cost", "--serve-only", "--listen", addr.String())
	server.expect("^serving")
	trace := start(t, nil, "trace", "mark", "--json", "--count", "2", "--port", fmt.Sprint(addr.Port))
	trace.expect("^watching")
	if r, err := http.Get(fmt.Sprintf("http://%s/whole", addr)); err != nil {
		t.Fatal(err)
	} else {
		r.Body.Close()
	}
	trace.end(exitDone)
	var phases []string
	for d := json.NewDecoder(&trace.stdout); d.More(); {
		var e struct{ Event, Name, Phase string }
		if err := d.Decode(&e); err != nil {
			t.Fatal(err)
		}
		phases = append(phases, e.Event+" "+e.Name+" "+e.Phase)
	}
	if len(phases) != 2 || phases[0] != "mark parse begin" || phases[1] != "mark parse end" {
		t.Errorf("told of %q", phases)
	}
}
