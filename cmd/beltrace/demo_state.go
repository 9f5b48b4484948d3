// SPDX-License-Identifier: Apache-2.0

package main

import (
	"maps"
	"slices"
	"sync"

	"beltrace/collector/model"
	"beltrace/collector/record"
	"beltrace/demos/demo"
)

// demoState is what is known of a running demo from its own processes. Reports come from the goroutines of the
// children's readers, questions from whoever shows the lesson.
type demoState struct {
	mu     sync.Mutex
	server demo.Party
	client demo.Party
	steps  []int64
	before []*model.Snapshot  // what had been seen when each step began
	shown  [2]*model.Snapshot // the two newest that were asked about, the newest first
	notes  map[string]float64
	ended  int64                   // when the client ended, CLOCK_MONOTONIC; 0: not yet
	final  bool                    // nothing more will be seen
	proven map[string]demo.Verdict // by the claim's text: what has been proven stays so when its evidence is too old to be kept
	failed map[string]*demoError   // last words, by role
	listen chan struct{}           // closed when the server listens
}

func newDemoState() *demoState {
	return &demoState{notes: map[string]float64{}, proven: map[string]demo.Verdict{}, failed: map[string]*demoError{}, listen: make(chan struct{})}
}

// Begin forgets the client's earlier run: a new one is about to start.
func (s *demoState) Begin(pid int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.client.PID = uint32(pid)
	s.steps, s.before, s.ended = nil, nil, 0
	clear(s.notes)
	clear(s.proven)
	delete(s.failed, demoClient)
}

// End notes that the client is gone.
func (s *demoState) End(now int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = now
}

// Close notes that nothing more will be seen.
func (s *demoState) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.final = true
}

// Serve notes who the server is.
func (s *demoState) Serve(pid int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.server.PID = uint32(pid)
}

// Report takes what a child said.
func (s *demoState) Report(role string, rep demoReport) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case rep.Addr != "":
		if s.server.Addr == "" {
			s.server.Addr = rep.Addr
			close(s.listen)
		}
	case rep.Step != nil && rep.Step.N == len(s.steps):
		s.steps, s.before = append(s.steps, rep.Step.TS), append(s.before, s.shownAt(rep.Step.TS))
	case rep.Step != nil:
		s.failed[role] = &demoError{Text: "its steps are out of order"}
	case rep.Note != nil:
		s.notes[rep.Note.Name] = rep.Note.Value
	case rep.Error != nil:
		s.failed[role] = rep.Error
	}
}

// shownAt returns the newest snapshot that is not younger than that; nil if there is none. A step's report comes a moment
// after the step, so that the newest may show some of it.
func (s *demoState) shownAt(ts int64) *model.Snapshot {
	for _, snap := range s.shown {
		if snap != nil && snap.TS <= ts {
			return snap
		}
	}
	return nil
}

// Seen puts a snapshot and the programs' own words together.
func (s *demoState) Seen(snap *model.Snapshot) demo.Seen {
	s.mu.Lock()
	defer s.mu.Unlock()
	if snap != s.shown[0] {
		s.shown = [2]*model.Snapshot{snap, s.shown[0]}
	}
	return demo.Seen{
		Snapshot: snap, Server: s.server, Client: s.client,
		Steps: slices.Clone(s.steps), Before: slices.Clone(s.before), Notes: maps.Clone(s.notes),
		Done: s.ended != 0 && (s.final || snap.TS >= s.ended+settleTime),
	}
}

// Keep remembers what is proven, and puts it in place of what does not look so any more.
func (s *demoState) Keep(claims []judged) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range claims {
		c := &claims[i]
		if c.State == demo.Proven {
			s.proven[c.text] = c.Verdict
		} else if v, ok := s.proven[c.text]; ok {
			c.Verdict = v
		}
	}
}

// Words returns what the programs said, for a recording.
func (s *demoState) Words(name string) *record.Demo {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &record.Demo{
		Name: name, Server: record.Party(s.server), Client: record.Party(s.client),
		Steps: slices.Clone(s.steps), Notes: maps.Clone(s.notes), Ended: s.ended,
	}
}

// recordedState is the state of a demo that was recorded.
func recordedState(d *record.Demo) *demoState {
	s := newDemoState()
	s.server, s.client = demo.Party(d.Server), demo.Party(d.Client)
	s.steps, s.notes, s.ended = d.Steps, d.Notes, d.Ended
	return s
}

// Addr is where the server listens.
func (s *demoState) Addr() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.server.Addr
}

// Failure returns the last words of a child, nil if it had none.
func (s *demoState) Failure(role string) *demoError {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed[role]
}
