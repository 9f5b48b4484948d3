// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"beltrace/collector/event"
	"beltrace/collector/live"
	"beltrace/collector/probes"
	"beltrace/internal/view"
)

const traceLong = `Print events as they happen, a line each.

Without a name the events of connections' lives are printed; "all" means every event.
Events that were lost are always told.`

func (a *app) traceCmd() *cobra.Command {
	var f watchFlags
	var asJSON bool
	c := &cobra.Command{
		Use:   "trace [EVENT,...]",
		Short: "Print events as they happen",
		Long:  traceLong + "\n\nEvents:\n" + eventList(),
		Example: `  sudo beltrace trace --port 8080
  sudo beltrace trace accept,close --json --count 10`,
		Args: func(_ *cobra.Command, args []string) error { _, err := parseKinds(args); return err },
		RunE: func(c *cobra.Command, args []string) error { return a.trace(c.Context(), &f, args, asJSON) },
		ValidArgsFunction: func(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
			return completeList(typed, describedKinds()), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
		},
	}
	f.add(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print each event as a JSON object")
	return c
}

func (a *app) trace(ctx context.Context, f *watchFlags, args []string, asJSON bool) error {
	kinds, err := parseKinds(args)
	if err != nil {
		return err
	}
	c, err := f.config()
	if err != nil {
		return err
	}
	c.SYN, c.Waits, c.Want = kinds.has(event.SYN), kinds.has(event.EpollWait), setsFor(kinds)
	c.Cheap = true // what nobody asked for is not watched, also with a filter
	c.Moves = movesFor(kinds)
	c.Stacks = kinds.has(event.Offcpu) || kinds.has(event.Oncpu) || kinds.has(event.Exchange)
	if kinds.has(event.Mark) {
		watchMarks(&c)
	}
	c.Uring = kinds.has(event.UringSubmit) || kinds.has(event.UringComplete)
	s, err := a.open(ctx, c, f.verbose)
	if err != nil {
		return err
	}
	w := s.watch()
	w.Limit = time.Duration(f.limit)
	clock := view.Clock{Offset: s.header.BootOffset, Start: s.header.Start}
	w.Sinks = append(w.Sinks, newTracer(a.out, kinds, asJSON, clock, f.count))
	a.say("%s", s.watching(""))
	if len(args) > 0 && kinds != ^kindSet(0) {
		for _, line := range untold(s.Info().Probes, kinds) {
			a.say("%s", line)
		}
	}
	return w.Run(ctx)
}

// untold says why nothing will come of some kinds: no probe in use yields them, although the table has one for them.
func untold(infos []live.ProbeInfo, kinds kindSet) []string {
	var told, known kindSet
	idle := map[event.Kind]string{} // why its probe is off
	for _, p := range infos {
		for _, k := range p.Probe.Yields {
			known |= 1 << k
			if p.Hook != nil {
				told |= 1 << k
			}
			if p.Idle != "" {
				idle[k] = p.Idle
			}
		}
	}
	var out, unknown []string
	for _, k := range event.Kinds() {
		switch why := idle[k]; {
		case !(kinds & known &^ told).has(k):
		case why != "":
			out = append(out, fmt.Sprintf("there is no %s to see: %s", k, why))
		default:
			unknown = append(unknown, k.String())
		}
	}
	if len(unknown) > 0 {
		out = append(out, fmt.Sprintf("this kernel does not tell %s here: see 'beltrace doctor'", strings.Join(unknown, ", ")))
	}
	return out
}

// kindSet is a set of event kinds.
type kindSet uint64

func (s kindSet) has(k event.Kind) bool { return s&(1<<k) != 0 }

// parseKinds reads the names on trace's command line.
func parseKinds(args []string) (kindSet, error) {
	var set kindSet
	names, err := splitKinds(args)
	if err != nil {
		return 0, err
	}
	for _, name := range names {
		k, ok := event.ParseKind(name)
		switch {
		case name == "all":
			set = ^kindSet(0)
		case ok:
			set |= 1 << k
		default:
			return 0, usagef("unknown event %q%s (see beltrace trace --help)", name, didYouMean(name, kindNames()))
		}
	}
	if set == 0 {
		for _, k := range event.Kinds() {
			if k.Lifecycle() {
				set |= 1 << k
			}
		}
	}
	return set, nil
}

// splitKinds returns the names, which commas or spaces part. One that is missing is refused: an empty variable stood there.
func splitKinds(args []string) ([]string, error) {
	for _, arg := range args {
		if strings.TrimSpace(arg) == "" {
			return nil, usagef("no event is named in %q (see beltrace trace --help)", arg)
		}
	}
	var names []string
	text := strings.Join(args, " ") // "accept, close" is one list, typed as one word or as two
	for part := range strings.SplitSeq(text, ",") {
		words := strings.Fields(part)
		if len(words) == 0 && text != "" {
			return nil, usagef("there is an empty name in %q (see beltrace trace --help)", text)
		}
		names = append(names, words...)
	}
	return names, nil
}

// kindNames returns what can be named on trace's command line.
func kindNames() []string {
	names := []string{"all"}
	for _, k := range event.Kinds() {
		names = append(names, k.String())
	}
	return names
}

// describedKinds returns the same names, each with what it is.
func describedKinds() []string {
	var out []string
	for _, k := range event.Kinds() {
		out = append(out, k.String()+"\t"+k.Doc())
	}
	return append(out, "all\tevery event")
}

func eventList() string {
	var b strings.Builder
	longest := 0
	for _, k := range event.Kinds() {
		longest = max(longest, len(k.String())+1)
	}
	for _, k := range event.Kinds() {
		mark := " "
		if !k.Lifecycle() {
			mark = "*"
		}
		b.WriteString("  " + k.String() + strings.Repeat(" ", longest-len(k.String())) + mark + " " + k.Doc() + "\n")
	}
	return b.String() + "\n  * only when named"
}

// tracer prints events. They are collected and written at each tick: a write for each would cost more than the event.
type tracer struct {
	out   *bufio.Writer
	kinds kindSet
	json  bool
	clock view.Clock
	left  uint64 // 0: no end
	line  []byte
}

var _ sink = (*tracer)(nil)

func newTracer(out io.Writer, kinds kindSet, asJSON bool, clock view.Clock, count uint64) *tracer {
	t := &tracer{out: bufio.NewWriterSize(out, 64<<10), kinds: kinds, json: asJSON, clock: clock, left: count}
	if !asJSON {
		t.out.WriteString(view.TraceHeader(clock) + "\n")
	}
	return t
}

// Add prints an event that was asked for. Losses are always told, and do not count.
func (t *tracer) Add(e *event.Event) error {
	if e.Kind == event.Lost {
		return t.print(e)
	}
	if !happened(e) || !t.kinds.has(e.Kind) {
		return nil
	}
	if err := t.print(e); err != nil || t.left == 0 {
		return err
	}
	if t.left--; t.left == 0 {
		return errEnough
	}
	return nil
}

func (t *tracer) print(e *event.Event) error {
	if t.json {
		t.line = e.AppendJSON(t.line[:0])
	} else {
		t.line = append(t.line[:0], view.TraceLine(e, t.clock)...)
	}
	t.line = append(t.line, '\n')
	_, err := t.out.Write(t.line)
	return err
}

// Tick shows what has been printed.
func (t *tracer) Tick(int64) error { return t.out.Flush() }

// End shows the rest.
func (t *tracer) End() error { return t.out.Flush() }

// movesFor returns the kinds among them that are written for each call, or for all that comes.
func movesFor(kinds kindSet) []event.Kind {
	return slices.DeleteFunc([]event.Kind{event.Turn, event.Read, event.Write, event.Readable}, func(k event.Kind) bool { return !kinds.has(k) })
}

// setsFor returns the sets of probes that named kinds need.
func setsFor(kinds kindSet) []probes.Set {
	var out []probes.Set
	for _, p := range probes.Table() {
		for _, k := range p.Yields {
			if kinds.has(k) && !slices.Contains(out, p.Set) {
				out = append(out, p.Set)
			}
		}
	}
	switch {
	case kinds.has(event.Exchange): // made of turns, and of what threads did
		out = append(out, probes.Data, probes.Sched, probes.Rings)
	case kinds.has(event.Offcpu) || kinds.has(event.Oncpu): // who has a request is known by its bytes
		out = append(out, probes.Data, probes.Sched)
	}
	return out
}
