// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"beltrace/collector/insight"
)

// anyFinding stands for every finding on the command line.
const anyFinding = "any"

// flightFlags make record a flight recorder.
type flightFlags struct {
	last length
	on   []string
}

func (f *flightFlags) add(c *cobra.Command) {
	fs := c.Flags()
	fs.Var(&f.last, "last", "keep events of the last `duration` in memory, with --on (default "+shortDuration(flightLast)+")")
	fs.StringSliceVar(&f.on, "on", nil, "write when one of these `findings` fires: "+strings.Join(insight.IDs(), ", ")+", or "+anyFinding)
	c.RegisterFlagCompletionFunc("on", func(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		return completeList(typed, append(insight.IDs(), anyFinding)), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	})
}

// given reports whether one of the flags is there, be it empty.
func (f *flightFlags) given(c *cobra.Command) bool {
	return c.Flags().Changed("last") || c.Flags().Changed("on")
}

// plan checks what the flags ask for.
func (f *flightFlags) plan(path string) (flightPlan, error) {
	p := flightPlan{path: path, keep: flightLast, budget: flightBudget}
	if f.last != 0 {
		p.keep = time.Duration(f.last)
	}
	if path == standardStream {
		return p, usagef("a flight recorder writes files that it numbers: name one instead of -")
	}
	if p.keep < flightLeast {
		return p, usagef("--last %s: at least %s, since findings look back for 10s", shortDuration(p.keep), shortDuration(flightLeast))
	}
	if len(f.on) == 0 {
		return p, usagef("a flight recorder needs --on FINDING: what fires it, or any")
	}
	names := append(insight.IDs(), anyFinding)
	for _, id := range f.on {
		if !slices.Contains(names, id) {
			return p, usagef("unknown finding %q%s (see beltrace record --help)", id, didYouMean(id, names))
		}
	}
	if !slices.Contains(f.on, anyFinding) {
		p.on = f.on
	}
	return p, nil
}

// checkFlightDir refuses a directory in which nothing can be created: else one would hear of that when the finding fires.
func checkFlightDir(path string) error {
	if err := checkOutput(path); err != nil {
		return err
	}
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".beltrace-*")
	if err != nil {
		var at *fs.PathError
		if errors.As(err, &at) {
			err = at.Err
		}
		return fmt.Errorf("create recording %s: no file can be created in %s: %w", path, dir, err)
	}
	f.Close()
	return os.Remove(f.Name())
}

// recordFlight keeps the last events and writes them when a finding fires.
func (a *app) recordFlight(ctx context.Context, f *watchFlags, flags *flightFlags, path string, args []string) error {
	plan, err := flags.plan(path)
	if err != nil {
		return err
	}
	if st, err := os.Stat(path); err == nil && !st.IsDir() && !st.Mode().IsRegular() {
		return fmt.Errorf("create recording %s: it is no regular file: a flight recorder numbers its files", path)
	}
	if err := checkFlightDir(path); err != nil {
		return err
	}
	s, cmd, err := a.openRecord(ctx, f, path, args)
	if err != nil {
		return err
	}
	w := s.watch()
	w.Limit = time.Duration(f.limit)
	r, err := newFlight(plan, s.header, w.snapshot, w.Model.Findings, a.say)
	if err != nil {
		s.Close()
		if cmd != nil {
			cmd.Abandon()
		}
		return err
	}
	a.onKill(r.drop)
	defer r.drop()
	w.Sinks = append(w.Sinks, r)
	if f.count > 0 {
		w.Sinks = append(w.Sinks, &counter{f.count})
	}
	// What is kept is much and lives long; garbage may be as much again unless it is collected sooner.
	defer debug.SetGCPercent(debug.SetGCPercent(40))
	a.say("%s", plan.title())
	return a.runWith(ctx, w, s, cmd)
}
