// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"testing"
	"time"
)

// While a server stalls, requests go on being due: each of them waits, not only those that had been sent.
func TestLatencyCountsFromTheSchedule(t *testing.T) {
	const stall = 100 * time.Millisecond
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(loadPort)))
	if err != nil {
		t.Skip(err)
	}
	var asked atomic.Int64
	server := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if n := asked.Add(1); n == 40 || n == 41 {
			time.Sleep(stall)
		}
		w.Write([]byte("ok"))
	})}
	go server.Serve(listener)
	defer server.Close()
	d, err := newDriver(2)
	if err != nil {
		t.Fatal(err)
	}
	d.every = time.Millisecond
	if err := d.run(time.Now(), 300*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if n := len(d.took); n != 300 {
		t.Errorf("%d requests were answered, 300 were due", n)
	}
	waited := 0
	for _, ns := range d.took {
		if time.Duration(ns) > stall/2 {
			waited++
		}
	}
	if waited < 40 { // without the schedule it is two
		t.Errorf("%d requests waited for more than half of the stall", waited)
	}
}

func TestAnswerSize(t *testing.T) {
	for _, tt := range []struct {
		answer string
		size   int
		wrong  bool
	}{
		{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nDate: x\r\n\r\nok", 49, false},
		{"HTTP/1.1 200 OK\r\nContent-Le", 0, false},
		{"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n", 0, true},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 0, true},
	} {
		size, err := answerSize([]byte(tt.answer))
		if size != tt.size || (err != nil) != tt.wrong {
			t.Errorf("%q: %d, %v", tt.answer, size, err)
		}
	}
}

func TestReadBenchmark(t *testing.T) {
	const out = `"test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms","p99_latency_ms","max_latency_ms"
"SET","50000.00","0.6","0.1","0.583","0.9","1.250","2.5"
`
	r := served{Ops: 100_000}
	if err := r.readBenchmark([]byte(out)); err != nil || r.Elapsed != 2*time.Second || r.P50 != 583*time.Microsecond || r.P99 != 1250*time.Microsecond {
		t.Errorf("%+v, %v", r, err)
	}
	if err := r.readBenchmark([]byte("ERR\n")); err == nil {
		t.Error("no error")
	}
}

func TestLostLines(t *testing.T) {
	lost, told := linesLost([]byte("Attaching 6 probes...\n1 read pid=1 bytes=3\nLost 7 events\n2 write pid=1 bytes=3\nLost 4 events\n"))
	if lost != 11 || told != 2 {
		t.Errorf("%d lost, %d told", lost, told)
	}
}

// The numbers of the last snapshot count, and only the load's server.
func TestSeen(t *testing.T) {
	out := []byte(`{"routes":[{"listener":"127.0.0.1:29417","count":3}],"rings":[{"ops":{"nop":{"count":1}}}]}
{"routes":[{"listener":"127.0.0.1:29417","count":5},{"listener":"127.0.0.1:29417","count":2},{"listener":"[::]:22","count":9}],"rings":[{"ops":{"nop":{"count":4},"recv":{"count":1}}},{"ops":{}}]}
`)
	if n, err := answersSeen(out); n != 7 || err != nil {
		t.Errorf("%d answers, %v", n, err)
	}
	if n, err := operationsSeen(out); n != 5 || err != nil {
		t.Errorf("%d operations, %v", n, err)
	}
}
