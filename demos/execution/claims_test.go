// SPDX-License-Identifier: Apache-2.0

package execution

import (
	"fmt"
	"slices"
	"testing"

	"beltrace/collector/event"
	"beltrace/collector/model"
	"beltrace/demos/demo"
	"beltrace/demos/demotest"
)

const (
	address = "127.0.0.1:8080"
	pid     = 7
	ms      = int64(1e6)
)

// play returns what is seen of a server that takes a pair of clients from 1 s on and a crowd from 2 s on, 1 ms apart, with
// so many threads of so many processes, each of which serves its clients one after the other for 70 ms.
func play(threads, processes int) demo.Seen {
	s := demo.Seen{
		Snapshot: &model.Snapshot{TS: 9000 * ms},
		Server:   demo.Party{PID: pid, Addr: address},
		Steps:    []int64{1000 * ms, 2000 * ms, 4000 * ms},
		Done:     true,
	}
	free := make([]int64, threads)
	come := func(i int, at, stays int64) {
		n := i % threads
		from := max(at, free[n])
		free[n] = from + stays
		c := demotest.Life{
			Role: event.RoleServer, Local: address, Remote: fmt.Sprintf("127.0.0.1:%d", 40000+i),
			Established: at, Accepted: from, Closed: from + stays,
		}.Connection()
		c.PID, c.TID = model.Some(uint32(pid+n%processes)), model.Some(uint32(100+n))
		s.Connections = append(s.Connections, c)
		for r := range Rounds * 3 {
			s.Exchanges = append(s.Exchanges, model.Exchange{
				Start: at + int64(r)*ms/2, Local: address, Process: model.Process{PID: c.PID}, TID: c.TID,
			})
		}
	}
	come(0, 1000*ms, 100*ms)
	come(1, 1010*ms, ms)
	for i := range Crowd {
		come(i, 2000*ms+int64(i)*ms, 70*ms)
	}
	for n := range threads {
		s.Workers = append(s.Workers, model.Worker{
			PID: uint32(pid + n%processes), TID: uint32(100 + n),
			Switches: 170, Calls: model.Some(uint64(630)), Times: model.Times{BlockedNS: map[string]int64{"accept4": 5000 * ms, "read": 300 * ms, "futex": 900 * ms, "nanosleep": 30 * ms}},
		})
	}
	return s
}

func TestClaims(t *testing.T) {
	last := func(s *demo.Seen) *model.Connection { return &s.Connections[len(s.Connections)-1] }
	before := func(s *demo.Seen) { // all that is counted had been when the run began
		was := *s.Snapshot
		was.Workers = slices.Clone(was.Workers)
		s.Before = []*model.Snapshot{&was}
	}
	others := func(s *demo.Seen) {
		s.Listeners = []model.Listener{{Local: address, Acceptors: []model.Acceptor{{PID: pid + 1, Accepts: 3}, {PID: pid + 2, Accepts: 4}}}}
	}
	tests := []struct {
		name               string
		threads, processes int
		change             func(*demo.Seen)
		check              check
		want               demo.State
	}{
		{"one accepts", 1, 1, nil, acceptedBy(1, 1), demo.Proven},
		{"four accept", 4, 1, nil, acceptedBy(4, 1), demo.Proven},
		{"four processes accept", 4, 4, nil, acceptedBy(4, 4), demo.Proven},
		{"of one process", 4, 1, nil, acceptedBy(4, 4), demo.Refuted},
		{"two accept", 2, 1, nil, acceptedBy(4, 1), demo.Refuted},
		{"one was not accepted", 1, 1, func(s *demo.Seen) { last(s).Story = last(s).Story[:1] }, acceptedBy(1, 1), demo.Refuted},
		{"of another server", 1, 1, func(s *demo.Seen) { last(s).Local = "127.0.0.1:9" }, acceptedBy(1, 1), demo.Refuted},
		{"the crowd is there", 1, 1, func(s *demo.Seen) { last(s).Closed, s.Done = model.Opt[int64]{}, false }, acceptedBy(1, 1), demo.Waiting},
		{"one at a time", 1, 1, nil, heldAtOnce(1), demo.Proven},
		{"four at a time", 4, 1, nil, heldAtOnce(4), demo.Proven},
		{"four, not one", 4, 1, nil, heldAtOnce(1), demo.Refuted},
		{"the last ACK came late", 1, 1, func(s *demo.Seen) { s.Connections[3].Closed.V += ms }, heldAtOnce(1), demo.Proven},
		{"one answers", 1, 1, nil, answeredBy(1, 1), demo.Proven},
		{"four answer", 4, 4, nil, answeredBy(4, 4), demo.Proven},
		{"one answered, not four", 1, 1, nil, answeredBy(4, 1), demo.Refuted},
		{"of one process only", 4, 1, nil, answeredBy(4, 4), demo.Refuted},
		{"some answers were not seen", 1, 1, func(s *demo.Seen) { s.Exchanges = s.Exchanges[:100] }, answeredBy(1, 1), demo.Unproven},
		{"an answer is incomplete", 1, 1, func(s *demo.Seen) { s.Exchanges[30].Incomplete = true }, answeredBy(1, 1), demo.Unproven},
		{"answers are to come", 1, 1, func(s *demo.Seen) { s.Exchanges, s.Done = s.Exchanges[:100], false }, answeredBy(1, 1), demo.Waiting},
		{"asleep in read", 4, 1, nil, sleptIn(answers, 70, "read"), demo.Proven},
		{"asleep elsewhere as well", 4, 1, nil, sleptIn(answers, 99, "read"), demo.Refuted},
		{"asleep elsewhere", 4, 1, nil, sleptIn(answers, 70, "epoll_wait"), demo.Refuted},
		{"nobody was seen asleep", 4, 1, func(s *demo.Seen) { s.Workers = nil }, sleptIn(answers, 70, "read"), demo.Unproven},
		{"others slept", 4, 1, func(s *demo.Seen) {
			for i := range s.Workers {
				s.Workers[i].TID += 1000
			}
		}, sleptIn(answers, 70, "read"), demo.Unproven},
		{"asleep in the run before", 4, 1, before, sleptIn(answers, 70, "read"), demo.Unproven},
		{"asleep in read, before elsewhere", 4, 1, func(s *demo.Seen) {
			before(s)
			for i := range s.Workers {
				s.Before[stepPair].Workers[i].BlockedNS = map[string]int64{"nanosleep": 30 * ms}
			}
		}, sleptIn(answers, 99, "read"), demo.Proven},
		{"others accept", 4, 4, others, checkInherited, demo.Proven},
		{"its process accepts", 4, 4, func(s *demo.Seen) { others(s); s.Server.PID = pid + 1 }, checkInherited, demo.Refuted},
		{"others accepted in the run before", 4, 4, func(s *demo.Seen) { others(s); before(s) }, checkInherited, demo.Refuted},
		{"the run has not begun", 4, 4, func(s *demo.Seen) { others(s); s.Steps, s.Done = nil, false }, checkInherited, demo.Waiting},
		{"the second waits", 1, 1, nil, checkSecondWaits(), demo.Proven},
		{"the second does not wait", 4, 1, nil, checkSecondWaits(), demo.Refuted},
		{"the second is taken", 4, 1, nil, checkSecondIsTaken(), demo.Proven},
		{"the second is not taken", 1, 1, nil, checkSecondIsTaken(), demo.Refuted},
		{"the second is to come", 1, 1, func(s *demo.Seen) { s.Connections, s.Done = s.Connections[:1], false }, checkSecondWaits(), demo.Waiting},
		{"the second's wait is unknown", 1, 1, func(s *demo.Seen) { s.Connections[1].WaitNS.Known = false }, checkSecondWaits(), demo.Unproven},
		{"a long line", 1, 1, nil, checkQueued(), demo.Proven},
		{"a short line", 8, 1, nil, checkQueued(), demo.Refuted},
		{"a wait is unknown", 1, 1, func(s *demo.Seen) { last(s).WaitNS.Known = false }, checkQueued(), demo.Unproven},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := play(tt.threads, tt.processes)
			if tt.change != nil {
				tt.change(&s)
			}
			if v := tt.check(s); v.State != tt.want {
				t.Errorf("%s (%s) %v, want %s", v.State, v.Why, v.Evidence, tt.want)
			}
		})
	}
}

func TestMeasure(t *testing.T) {
	s := play(4, 2)
	s.Notes = map[string]float64{noteTotal: 0.5e9, noteP50: 1e6, noteP99: 9e6}
	s.Workers = append(s.Workers, model.Worker{PID: pid, TID: 999, Switches: 1e6}) // Go's runtime, which serves nobody
	const all = requests + 2*Rounds*3
	want := demo.Measures{
		Requests: requests, PerSecond: model.Some(2.0 * requests), P50NS: model.Some(ms), P99NS: model.Some(9 * ms),
		Processes: 2, Threads: 4, Switches: model.Some(4 * 170.0 / all), Calls: model.Some(4 * 630.0 / all),
	}
	if got := measure(s); got != want {
		t.Errorf("%+v\nwant %+v", got, want)
	}
	s.Workers[0].Calls.Known = false
	if got := measure(s); got.Calls.Known || !got.Switches.Known {
		t.Errorf("%+v although the calls of one thread are not known", got)
	}
	s.Workers, s.Notes = s.Workers[1:], nil // one thread's switches are not known
	if got := measure(s); got.Switches.Known || got.PerSecond.Known || got.P99NS.Known {
		t.Errorf("%+v, want nothing that was not seen", got)
	}
	s.Exchanges = s.Exchanges[:10]
	if got := measure(s); got.Switches.Known {
		t.Errorf("%+v although most answers were not seen", got)
	}
}

func TestParse(t *testing.T) {
	const whole = "GET /cpu HTTP/1.1\r\nHost: x\r\n\r\n"
	for _, tt := range []struct {
		in, path string
		size     int
		bad      bool
	}{
		{"", "", 0, false},
		{whole[:len(whole)-1], "", 0, false},
		{whole, "/cpu", len(whole), false},
		{whole + "GET /wa", "/cpu", len(whole), false},
		{"POST / HTTP/1.1\r\n\r\n", "", 0, true},
		{"GET /cpu\r\n\r\n", "", 0, true},
		{"\r\n\r\n", "", 0, true},
		{string(make([]byte, maxRequest)), "", 0, true},
	} {
		path, size, err := parse([]byte(tt.in))
		if path != tt.path || size != tt.size || (err != nil) != tt.bad {
			t.Errorf("%.40q: %q, %d, %v", tt.in, path, size, err)
		}
	}
}
