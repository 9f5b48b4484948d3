// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"beltrace/tui"
)

// onceLimit is how long --once collects unless told otherwise.
const onceLimit = time.Second

// outFlags say how snapshots are shown.
type outFlags struct {
	once     bool
	json     bool
	headless bool
}

func (f *outFlags) add(c *cobra.Command) {
	fs := c.Flags()
	fs.BoolVar(&f.once, "once", false, "print one snapshot and exit")
	fs.BoolVar(&f.json, "json", false, "print snapshots as JSON, one object a line")
	fs.BoolVar(&f.headless, "headless", false, "print a snapshot every 5 s instead of the dashboard")
}

// dashboard reports whether these flags, and where the output goes, mean the dashboard.
func (f *outFlags) dashboard(a *app) bool {
	out, ok := a.out.(stdout)
	return !f.once && !f.json && !f.headless && ok && isTerminal(out.File)
}

func (a *app) topCmd() *cobra.Command {
	var watching watchFlags
	var out outFlags
	c := &cobra.Command{
		Use:   "top",
		Short: "Show the dashboard (this is what beltrace does without a verb)",
		Example: `  sudo beltrace top --port 8080
  sudo beltrace top --once --json --for 5s`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.top(c.Context(), &watching, &out) },
	}
	watching.add(c)
	out.add(c)
	return c
}

func (a *app) top(ctx context.Context, f *watchFlags, out *outFlags) error {
	c, err := f.config()
	if err != nil {
		return err
	}
	s, err := a.open(ctx, c, f.verbose)
	if err != nil {
		return err
	}
	w := s.watch()
	w.Limit = time.Duration(f.limit)
	if out.once && w.Limit == 0 && f.count == 0 {
		w.Limit = onceLimit
	}
	if f.count > 0 {
		w.Sinks = append(w.Sinks, &counter{f.count})
	}
	a.present(w, s, out, "")
	a.say("%s", s.watching(""))
	return w.Run(ctx)
}

// present adds to the run what shows it: the dashboard, or snapshots on standard output.
func (a *app) present(w *watch, s *session, out *outFlags, title string) {
	if out.dashboard(a) {
		r := newRecorder(s.header, w.snapshot)
		w.Sinks = append(w.Sinks, r)
		w.Dashboard = &tui.Options{Title: title, Record: r.Switch, RecordFailed: r.Failed, Need: s.needSet, Stacks: s.Stacks}
		return
	}
	p := &printer{out: a.out, json: out.json, make: w.snapshot, need: s.needSet}
	if !out.once {
		p.every = headlessPeriod
	}
	w.Sinks = append(w.Sinks, p)
}
