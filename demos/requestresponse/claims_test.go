// SPDX-License-Identifier: Apache-2.0

package requestresponse

import (
	"fmt"
	"testing"

	"beltrace/collector/event"
	"beltrace/collector/model"
	"beltrace/demos/demo"
	"beltrace/demos/demotest"
)

const (
	server = "127.0.0.1:8080"
	us     = int64(1000)
	ms     = 1000 * us
)

// play returns what is seen of a run in which everything is as it should be: 50 connections 1 ms apart from 1 s on,
// then one at 2 s that carries
// as much; from 3 s on both ways in turns: the kept connection brings the next request after 180 µs, a new one after 780 µs.
func play() demo.Seen {
	s := demo.Seen{
		Snapshot: &model.Snapshot{TS: 4000 * ms},
		Server:   demo.Party{PID: 7, Addr: server},
		Steps:    []int64{1000 * ms, 2000 * ms, 3000 * ms},
		Notes: map[string]float64{
			"close_total_ns": float64(60 * ms), "new_request_p50_ns": float64(ms), "kept_request_p50_ns": float64(100 * us),
		},
		Done: true,
	}
	for i := range int64(Requests) {
		at := 1000*ms + i*ms
		s.Connections = append(s.Connections, demotest.Life{
			Role: event.RoleServer, Local: server, Remote: fmt.Sprintf("127.0.0.1:%d", 40000+i),
			Established: at, Accepted: at + 20*us, Closed: at + 500*us, Handshake: 40 * us, BytesIn: 120,
		}.Connection())
		turn := 3000*ms + i*ms
		s.Marks = append(s.Marks, mark(newID(int(i)), turn, false), mark(newID(int(i)), turn+20*us, true),
			mark(keptID(int(i)), turn+200*us, false), mark(keptID(int(i)), turn+220*us, true))
	}
	s.Connections = append(s.Connections, demotest.Life{
		Role: event.RoleServer, Local: server, Remote: "127.0.0.1:50000",
		Established: 2000 * ms, Accepted: 2000*ms + 20*us, Closed: 2500 * ms, Handshake: 40 * us, BytesIn: 5000,
	}.Connection())
	return s
}

func mark(id int, ts int64, end bool) model.Mark {
	return model.Mark{TS: ts, PID: 7, Name: "handle", End: end, ID: uint64(id)}
}

func TestClaims(t *testing.T) {
	each, all := countServed(stepClose, Requests), countServed(stepKeepAlive, 1)
	last := func(s *demo.Seen) *model.Connection { return &s.Connections[len(s.Connections)-1] }
	tests := []struct {
		name   string
		change func(*demo.Seen)
		check  func(demo.Seen) demo.Verdict
		want   demo.State
	}{
		{"one each", nil, each, demo.Proven},
		{"closed", nil, checkClosed, demo.Proven},
		{"one for all", nil, all, demo.Proven},
		{"bytes", nil, checkBytes, demo.Proven},
		{"paid", nil, checkPaid, demo.Proven},
		{"faster", nil, checkFaster, demo.Proven},
		{"one too few", func(s *demo.Seen) { s.Connections = s.Connections[1:] }, each, demo.Refuted},
		{"one too many", func(s *demo.Seen) { s.Connections = append(s.Connections, *last(s)) }, all, demo.Refuted},
		{"step goes on", func(s *demo.Seen) { s.Steps, s.Done = s.Steps[:1], false }, each, demo.Waiting},
		{"step is over, its events are not read", func(s *demo.Seen) { s.TS, s.Done = 1999*ms, false }, each, demo.Waiting},
		{"another port", func(s *demo.Seen) { s.Connections[0].Local = "127.0.0.1:9" }, each, demo.Refuted},
		{"one is still open", func(s *demo.Seen) { s.Connections[7].State, s.Done = model.StateEstablished, false }, checkClosed, demo.Waiting},
		{"one was not accepted", func(s *demo.Seen) { s.Connections[7].Story = s.Connections[7].Story[:1] }, checkClosed, demo.Refuted},
		{"totals of the last are open", func(s *demo.Seen) { last(s).BytesIn, s.Done = model.Opt[uint64]{}, false }, checkBytes, demo.Waiting},
		{"totals are not seen", func(s *demo.Seen) { last(s).BytesIn = model.Opt[uint64]{} }, checkBytes, demo.Unproven},
		{"few bytes", func(s *demo.Seen) { last(s).BytesIn.V = 120 }, checkBytes, demo.Refuted},
		{"kernel times exceed the client's", func(s *demo.Seen) { s.Notes["close_total_ns"] = float64(2 * ms) }, checkPaid, demo.Refuted},
		{"a handshake is unknown", func(s *demo.Seen) { s.Connections[3].HandshakeNS.Known = false }, checkPaid, demo.Refuted},
		{"not sooner", func(s *demo.Seen) { slowKept(s, 900*us) }, checkFaster, demo.Refuted},
		{"not sooner, but who knows", func(s *demo.Seen) {
			slowKept(s, 900*us)
			for i := range s.Marks[:60] {
				s.Marks[i].TS = 3000*ms + int64(i)*50*us // as fast in both ways
			}
		}, checkFaster, demo.Unproven},
		{"marks are lost", func(s *demo.Seen) { s.Marks = s.Marks[4:] }, checkFaster, demo.Unproven},
		{"marks of another process", func(s *demo.Seen) { s.Server.PID = 8 }, checkFaster, demo.Unproven},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := play()
			if tt.change != nil {
				tt.change(&s)
			}
			if v := tt.check(s); v.State != tt.want {
				t.Errorf("%s (%s) %v, want %s", v.State, v.Why, v.Evidence, tt.want)
			}
		})
	}
}

// slowKept makes requests on the kept connection come so long after the ones before.
func slowKept(s *demo.Seen, pause int64) {
	for i := range s.Marks {
		if m := &s.Marks[i]; isKept(m.ID) {
			m.TS += pause - 180*us
		}
	}
}
