// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"beltrace/collector"
	"beltrace/collector/record"
	"beltrace/tui"
)

// demoPrefix names a recording that is shipped inside instead of a file.
const demoPrefix = "demo:"

func (a *app) replayCmd() *cobra.Command {
	var f watchFlags
	var out outFlags
	speed := factor{}
	c := &cobra.Command{
		Use:   "replay FILE",
		Short: "Show a recording as if it happened now",
		Long: `Show a recording as if it happened now. It needs no privilege and works on any system.

Without a terminal, or with --once, the recording is read to its end and its last snapshot printed.`,
		Example: `  beltrace replay beltrace-20260101-120000.ndjson.zst
  beltrace replay file.ndjson --once --json`,
		Args: oneArg("a recording", "FILE"),
		RunE: func(c *cobra.Command, args []string) error { return a.replay(c.Context(), &f, &out, speed, args[0]) },
	}
	f.addSelection(c)
	out.add(c)
	c.Flags().Var(&speed, "speed", "`times` as fast as it happened, 0 for as fast as possible (the dashboard's default is 1)")
	return c
}

func (a *app) replay(ctx context.Context, f *watchFlags, out *outFlags, speed factor, path string) error {
	dashboard := out.dashboard(a)
	if !speed.given && dashboard {
		speed.times = 1
	}
	w, err := openReplay(f, path, speed.times)
	if err != nil {
		return err
	}
	if dashboard {
		w.Dashboard = &tui.Options{Title: "replay " + filepath.Base(path)}
	} else {
		w.Sinks = append(w.Sinks, &printer{out: a.out, json: out.json, make: w.snapshot})
	}
	return w.Run(ctx)
}

// openReplay returns a run over the recording, as far as the flags select it; speed 0 is as fast as possible.
func openReplay(f *watchFlags, path string, speed float64) (*watch, error) {
	if name, ok := strings.CutPrefix(path, demoPrefix); ok {
		return nil, fmt.Errorf("no recording of the demo %q is shipped yet: run it with sudo beltrace demo %s", name, name)
	}
	r, err := record.Open(path)
	if err != nil {
		var where *fs.PathError
		if errors.As(err, &where) {
			return nil, fmt.Errorf("open recording %s: %w", path, where.Err)
		}
		return nil, err
	}
	h := r.Header()
	feed := newReplayFeed(r, h.Start, speed, time.Duration(f.limit))
	opt := optionsOf(h)
	if sel := f.selection(); sel != nil {
		feed.pick, opt.Filters = sel.Pick, sel.words()
	}
	w := &watch{Feed: feed, Model: collector.New(opt), Now: func() int64 { return h.Start }, Stay: true}
	if f.count > 0 {
		w.Sinks = append(w.Sinks, &counter{f.count})
	}
	return w, nil
}

// factor is a flag that takes a speed.
type factor struct {
	times float64
	given bool
}

func (f *factor) Set(text string) error {
	v, err := strconv.ParseFloat(strings.TrimSuffix(text, "x"), 64)
	if err != nil || !(v >= 0 && v <= 1e6) {
		return errors.New("a speed is a number from 0, such as 0.5 or 10")
	}
	*f = factor{v, true}
	return nil
}

func (f *factor) String() string {
	if !f.given {
		return ""
	}
	return strconv.FormatFloat(f.times, 'g', -1, 64)
}
func (f *factor) Type() string { return "times" }
