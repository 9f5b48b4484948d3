// SPDX-License-Identifier: Apache-2.0

package synqueue

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
	at8080 = "127.0.0.1:8080"
	netns  = 4026532000
	us     = int64(1000)
	ms     = 1000 * us
)

// moment is a time of the run in ms, on a clock that starts at 1 s.
func moment(at int64) int64 { return 1000*ms + at*ms }

// play returns what is seen of a run in which everything is as it should be.
func play() demo.Seen {
	l := model.Listener{
		Local: at8080, NetNS: netns, Backlog: model.Some(uint32(Backlog)), SYNACKAgain: 18,
		SYNDrops: map[string]uint64{reasonFull: 23}, Fidelity: map[string]model.Fidelity{factSYNDrops: model.Exact},
		CookiesSent: model.Some(uint64(14)), CookiesOK: model.Some(uint64(Honest)),
	}
	for _, q := range [][2]int64{{500, 9}, {1500, 9}, {2500, 9}, {3500, 9}, {4500, 0}} {
		l.History = append(l.History, model.QueueSample{TS: moment(q[0]), SYNQueue: model.Some(uint32(q[1]))})
	}
	s := demo.Seen{
		Snapshot: &model.Snapshot{TS: moment(7000), Listeners: []model.Listener{l}},
		Server:   demo.Party{PID: 7, Addr: at8080},
		Steps:    []int64{moment(0), moment(2000), moment(3300)},
		Notes:    map[string]float64{"empty_after_ns": float64(600 * ms)},
		Done:     true,
	}
	for i := range int64(Deaf + 1) { // the last one is honest, and gives up
		closed := moment(3301)
		if i == Deaf {
			closed = moment(703)
		}
		s.Connections = append(s.Connections, model.Connection{
			Role: event.RoleClient, State: model.StateClosed, Remote: at8080, Closed: model.Some(closed),
			Story: []model.EventLine{{TS: moment(1) + i*10*us, Kind: event.Connect.String()}},
		})
	}
	for i := range int64(Honest) {
		client, at := fmt.Sprintf("127.0.0.1:%d", 40000+i), moment(2001+i)
		s.Connections = append(s.Connections,
			demotest.Life{Role: event.RoleServer, Local: at8080, Remote: client, Established: at, Accepted: at + 40*us}.Connection(),
			demotest.Life{Role: event.RoleClient, Local: client, Remote: at8080, Established: at, Handshake: 60 * us}.Connection())
	}
	return s
}

func TestClaims(t *testing.T) {
	listener := func(s *demo.Seen) *model.Listener { return &s.Listeners[0] }
	soFar := func(s *demo.Seen, at int64, steps int) { s.TS, s.Steps, s.Done = at, s.Steps[:steps], false }
	noReasons := func(s *demo.Seen) {
		l := listener(s)
		l.SYNDrops, l.Fidelity = map[string]uint64{"unknown": 59}, map[string]model.Fidelity{factSYNDrops: model.Derived}
		l.CookiesOK.Known, l.CookiesSent.Known = false, false
	}
	counted := func(s *demo.Seen, drops, back uint64) {
		noReasons(s)
		s.Namespaces = []model.Namespace{{NetNS: 1, ReqQFullDrop: model.Some(uint64(999)), SyncookiesRecv: model.Some(uint64(999))}, {
			NetNS: netns, ReqQFullDrop: model.Some(drops), SyncookiesSent: model.Some(uint64(14)), SyncookiesRecv: model.Some(back),
		}}
	}
	before := func(s *demo.Seen) { // all that is counted had been when the run began
		was := *s.Snapshot
		s.Before = []*model.Snapshot{&was, &was, &was}
	}
	notBegun := func(s *demo.Seen) { soFar(s, moment(-10), 0) }
	twice := func(s *demo.Seen) {
		was := *s.Snapshot
		s.Before, s.Listeners = []*model.Snapshot{&was, &was, &was}, slices.Clone(was.Listeners)
		l := listener(s)
		l.SYNACKAgain, l.SYNDrops = 2*l.SYNACKAgain, map[string]uint64{reasonFull: 2 * l.SYNDrops[reasonFull]}
		l.CookiesSent.V, l.CookiesOK.V = 2*l.CookiesSent.V, 2*l.CookiesOK.V
	}
	tests := []struct {
		name   string
		change func(*demo.Seen)
		check  func(demo.Seen) demo.Verdict
		want   demo.State
	}{
		{"full", nil, checkFull, demo.Proven},
		{"nothing", nil, checkNothing, demo.Proven},
		{"turned away", nil, checkTurnedAway, demo.Proven},
		{"dropped", nil, checkDropped, demo.Proven},
		{"let in", nil, checkLetIn, demo.Proven},
		{"cookies", nil, checkCookies, demo.Proven},
		{"sent again", nil, checkSentAgain, demo.Proven},
		{"empty", nil, checkEmpty, demo.Proven},
		{"dropped: by the run before", before, checkDropped, demo.Refuted},
		{"dropped: by the run before, in the namespace", func(s *demo.Seen) { counted(s, 23, Honest); before(s) }, checkDropped, demo.Refuted},
		{"cookies: of the run before", before, checkCookies, demo.Refuted},
		{"cookies: of the run before, in the namespace", func(s *demo.Seen) { counted(s, 23, Honest); before(s) }, checkCookies, demo.Refuted},
		{"sent again: by the run before", before, checkSentAgain, demo.Refuted},
		{"dropped: the run has not begun", notBegun, checkDropped, demo.Waiting},
		{"cookies: the run has not begun", notBegun, checkCookies, demo.Waiting},
		{"sent again: the run has not begun", notBegun, checkSentAgain, demo.Waiting},
		{"dropped: in both runs", twice, checkDropped, demo.Proven},
		{"cookies: in both runs", twice, checkCookies, demo.Proven},
		{"sent again: in both runs", twice, checkSentAgain, demo.Proven},
		{"full: one fewer", func(s *demo.Seen) {
			for i := range 2 {
				listener(s).History[i].SYNQueue.V = 8
			}
		}, checkFull, demo.Refuted},
		{"full: one more", func(s *demo.Seen) { listener(s).History[1].SYNQueue.V = 10 }, checkFull, demo.Refuted},
		{"full: no sample", func(s *demo.Seen) { listener(s).History = nil }, checkFull, demo.Unproven},
		{"full: not yet", func(s *demo.Seen) { soFar(s, moment(400), 1) }, checkFull, demo.Waiting},
		{"nothing: one was", func(s *demo.Seen) {
			s.Connections = append(s.Connections, demotest.Life{Role: event.RoleServer, Local: at8080, Remote: "127.0.0.1:1", Established: moment(5)}.Connection())
		}, checkNothing, demo.Refuted},
		{"nothing: nobody came", func(s *demo.Seen) { s.Connections = nil }, checkNothing, demo.Refuted},
		{"turned away: let in", func(s *demo.Seen) {
			c := &s.Connections[Deaf]
			c.Story = append(c.Story, model.EventLine{TS: moment(2), Kind: event.Established.String()})
		}, checkTurnedAway, demo.Refuted},
		{"dropped: too few", func(s *demo.Seen) { listener(s).SYNDrops[reasonFull] = 11 }, checkDropped, demo.Refuted},
		{"dropped: for another reason", func(s *demo.Seen) { listener(s).SYNDrops = map[string]uint64{"syn_backlog_limit": 23} }, checkDropped, demo.Refuted},
		{"dropped: reason unknown", noReasons, checkDropped, demo.Unproven},
		{"dropped: counted by the namespace", func(s *demo.Seen) { counted(s, 23, Honest) }, checkDropped, demo.Proven},
		{"dropped: the namespace counts fewer", func(s *demo.Seen) { counted(s, 11, Honest) }, checkDropped, demo.Refuted},
		{"let in: the queue was not full", func(s *demo.Seen) {
			listener(s).History[2].SYNQueue.V = 8
		}, checkLetIn, demo.Refuted},
		{"let in: late", func(s *demo.Seen) { s.Connections[Deaf+2].HandshakeNS.V = 1010 * ms }, checkLetIn, demo.Refuted},
		{"let in: one is missing", func(s *demo.Seen) { s.Connections = s.Connections[:Deaf+5] }, checkLetIn, demo.Refuted},
		{"cookies: too few", func(s *demo.Seen) { listener(s).CookiesOK.V = 2 }, checkCookies, demo.Refuted},
		{"cookies: unknown", noReasons, checkCookies, demo.Unproven},
		{"cookies: counted by the namespace", func(s *demo.Seen) { counted(s, 23, Honest) }, checkCookies, demo.Proven},
		{"cookies: the namespace counts none", func(s *demo.Seen) { counted(s, 23, 0) }, checkCookies, demo.Refuted},
		{"sent again: never", func(s *demo.Seen) { listener(s).SYNACKAgain = 0 }, checkSentAgain, demo.Refuted},
		{"empty: not", func(s *demo.Seen) { listener(s).History[4].SYNQueue.V = 1 }, checkEmpty, demo.Refuted},
		{"empty: not yet", func(s *demo.Seen) { listener(s).History[4].SYNQueue.V = 1; soFar(s, moment(4600), 3) }, checkEmpty, demo.Waiting},
		{"empty: no sample", func(s *demo.Seen) { listener(s).History = nil }, checkEmpty, demo.Unproven},
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
