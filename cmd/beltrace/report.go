// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"beltrace/internal/view"
)

func (a *app) reportCmd() *cobra.Command {
	var f watchFlags
	var json bool
	c := &cobra.Command{
		Use:   "report [FILE]",
		Short: "Say what went wrong, why, and what to change",
		Long: `Say what went wrong in a recording, why, and what to change; then the tables. It needs no
privilege and works on any system.

Without FILE it watches this host for as long as --for says.`,
		Example: `  beltrace report slow.ndjson.zst
  sudo beltrace report --for 10s --port 8080`,
		Args: reportArgs,
		RunE: func(c *cobra.Command, args []string) error {
			show := func(w *watch) error {
				w.Sinks = append(w.Sinks, &printer{out: a.out, json: json, make: w.snapshot, text: view.Report})
				return w.Run(c.Context())
			}
			if len(args) == 1 {
				return a.reportOn(&f, args[0], show)
			}
			return a.reportLive(c.Context(), &f, show)
		},
	}
	f.add(c)
	c.Flags().BoolVar(&json, "json", false, "print the snapshot as JSON, one object on a line")
	return c
}

// reportArgs asks for one recording, or for --for and none.
func reportArgs(c *cobra.Command, args []string) error {
	use := c.CommandPath()
	switch {
	case len(args) > 1:
		return usagef("%s takes one argument, not %q: %s FILE", use, strings.Join(args, " "), use)
	case len(args) == 1 && args[0] == "":
		return usagef("the name is empty: %s FILE", use)
	case len(args) == 1:
		for _, name := range []string{"no-payload", "tier", "verbose"} {
			if c.Flags().Changed(name) {
				return usagef("--%s is for watching: a recording has no such choice", name)
			}
		}
	case !c.Flags().Changed("for"):
		return usagef("%s needs a recording (%s FILE), or a time to watch this host (sudo %s --for 10s)", use, use, use)
	}
	return nil
}

// reportOn shows a run over a recording.
func (a *app) reportOn(f *watchFlags, path string, show func(*watch) error) error {
	r, err := openRecording(path)
	if err != nil {
		return err
	}
	w, err := newReplay(r, 0, f)
	if err != nil {
		return err
	}
	defer func() { a.sayUnknown(r.Skipped()) }()
	return show(w)
}

// reportLive shows a run over this host.
func (a *app) reportLive(ctx context.Context, f *watchFlags, show func(*watch) error) error {
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
	if f.count > 0 {
		w.Sinks = append(w.Sinks, &counter{f.count})
	}
	a.say("%s", s.watching(""))
	return show(w)
}
