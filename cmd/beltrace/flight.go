// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"beltrace/collector/event"
	"beltrace/collector/model"
	"beltrace/collector/record"
	"beltrace/internal/view"
)

const (
	// flightLast is what is kept unless --last says otherwise.
	flightLast = time.Minute
	// flightLeast is the shortest --last: rules look back for 10 s, and what they saw must be in the file.
	flightLeast = 15 * time.Second
	// flightAfter is how much is recorded after a finding.
	flightAfter = 5 * time.Second
	// flightRest is the least time between two findings that are recorded.
	flightRest = time.Minute
	// flightBudget is how many bytes of compressed events are kept. While a file is written it may be twice as many.
	flightBudget = 32 << 20
)

// flight is the flight recorder: it keeps the last events in memory and writes them when a finding fires.
type flight struct {
	flightPlan
	header record.Header
	// Snapshot is the model now, findings are those that it has. Both are asked on the goroutine that owns it.
	snapshot func(now int64) *model.Snapshot
	findings func() []model.Finding
	say      func(format string, args ...any)

	tape    *record.Tape
	seen    map[findingKey]bool // of the last tick
	fired   *firing             // its file is not written yet
	last    int64               // when the last one that is recorded fired
	hushed  bool                // it was said that others since are not
	files   int
	writing chan error // holds the writer's result; nil: nobody writes
	failed  int        // files that could not be written
	draft   draft
}

// flightPlan is what the user asked for.
type flightPlan struct {
	path   string
	keep   time.Duration
	on     []string // ids of findings; empty: any
	budget int
}

// findingKey tells a finding from an earlier one of the same rule.
type findingKey struct {
	id, about string
	since     int64
}

// firing is a finding, or several, that is to be recorded.
type firing struct {
	at    int64
	names []string
}

var _ fileSink = (*flight)(nil)

func newFlight(p flightPlan, h record.Header, snapshot func(int64) *model.Snapshot, findings func() []model.Finding, say func(string, ...any)) (*flight, error) {
	tape, err := record.NewTape(p.keep+flightAfter, p.budget)
	if err != nil {
		return nil, err
	}
	tape.Begin(h.Start, nil) // what is there comes as events
	return &flight{flightPlan: p, header: h, snapshot: snapshot, findings: findings, say: say, tape: tape}, nil
}

// title says what it waits for.
func (p *flightPlan) title() string {
	return fmt.Sprintf("keeping the last %s in at most %s, to be written to %s when %s fires",
		shortDuration(p.keep), view.Bytes(uint64(p.budget)), p.path, p.what())
}

func (p *flightPlan) what() string {
	if len(p.on) == 0 {
		return "a finding"
	}
	return strings.Join(p.on, " or ")
}

// silence says that it has not fired.
func (p *flightPlan) silence() string {
	if len(p.on) == 0 {
		return "no finding fired"
	}
	return p.what() + " did not fire"
}

// shortDuration writes 1m instead of 1m0s.
func shortDuration(d time.Duration) string {
	s := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(s, zero) {
			s = s[:len(s)-2]
		}
	}
	return s
}

// ToFile reports that it writes to regular files.
func (f *flight) ToFile() bool { return true }

// Add keeps the event.
func (f *flight) Add(e *event.Event) error {
	f.tape.Add(e)
	return nil
}

// Tick looks for new findings, and writes a file whose time has come.
func (f *flight) Tick(now int64) error {
	if err := f.written(false); err != nil { // the next one may be: a disk that is full now need not be then
		f.say("%v: not recorded, but the next one may be", err)
		f.failed++
		f.last = 0 // there is no last one to wait after
	}
	if f.tape.Due(now) {
		f.tape.Begin(now, existing(f.snapshot(now)))
	}
	f.look(now)
	if f.fired != nil && now >= f.fired.at+int64(flightAfter) {
		f.write(now)
	}
	return nil
}

// look finds what has fired since the last tick.
func (f *flight) look(now int64) {
	seen := map[findingKey]bool{}
	for _, x := range f.findings() {
		if len(f.on) > 0 && !slices.Contains(f.on, x.ID) {
			continue
		}
		k := findingKey{x.ID, x.About(), x.Since}
		seen[k] = true
		if !f.seen[k] {
			f.fire(now, x.ID+" ("+x.Subject+")")
		}
	}
	f.seen = seen
}

func (f *flight) fire(now int64, name string) {
	switch {
	case f.fired != nil:
		f.fired.names = append(f.fired.names, name)
	case f.last != 0 && now-f.last < int64(flightRest) || f.writing != nil:
		if !f.hushed {
			f.say("%s: not recorded, it is less than %s after the last one", name, shortDuration(flightRest))
		}
		f.hushed = true
	default:
		f.fired, f.last, f.hushed = &firing{at: now, names: []string{name}}, now, false
	}
}

// job is the file of what has fired.
func (f *flight) job(now int64) *flightJob {
	return &flightJob{
		path: f.path, header: f.header, reels: f.tape.Reels(), draft: &f.draft,
		from: f.fired.at - int64(f.keep), fired: *f.fired, until: now, keep: f.keep, budget: f.budget,
	}
}

// write lets the file be written; events go on meanwhile.
func (f *flight) write(now int64) {
	job := f.job(now)
	f.fired = nil
	f.files++
	done := make(chan error, 1)
	f.writing = done
	go func() { // End waits for it, or drop ends it
		text, err := job.write()
		if err == nil {
			f.say("%s", text)
		}
		done <- err
	}()
}

// written takes the writer's result, if there is one, or waits for it.
func (f *flight) written(wait bool) error {
	if f.writing == nil {
		return nil
	}
	var err error
	if wait {
		err = <-f.writing
	} else {
		select {
		case err = <-f.writing:
		default:
			return nil
		}
	}
	f.writing = nil
	return err
}

// End writes what has fired, however little came after it, and waits for the file.
func (f *flight) End() error {
	err := f.written(true)
	if f.fired != nil && err == nil {
		f.write(f.snapshot(0).TS)
		err = f.written(true)
	}
	if f.files == 0 {
		f.say("%s: nothing is written", f.silence())
	}
	if err == nil && f.failed > 0 {
		err = fmt.Errorf("%s could not be written", view.Plural(f.failed, "recording", "recordings"))
	}
	return err
}

// drop removes the file that is not finished, if there is one: the process ends. Any goroutine may call it.
func (f *flight) drop() {
	if path := f.draft.drop(); path != "" {
		f.say("%s is not finished: removed", path)
	}
}
