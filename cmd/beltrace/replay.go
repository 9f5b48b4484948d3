// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"beltrace/collector"
	"beltrace/collector/insight"
	"beltrace/collector/model"
	"beltrace/collector/record"
	"beltrace/demos"
	"beltrace/demos/recordings"
	"beltrace/internal/view"
	"beltrace/tui"
)

// demoPrefix names a recording that is shipped inside instead of a file.
const demoPrefix = "demo:"

func (a *app) replayCmd() *cobra.Command {
	var f watchFlags
	var out outFlags
	speed := factor{}
	c := &cobra.Command{
		Use:   "replay FILE|demo:NAME",
		Short: "Show a recording as if it happened now",
		Long: `Show a recording as if it happened now. It needs no privilege and works on any system.

demo:NAME is a recording of that demo that is shipped inside; its lesson stands beside it, and
its claims are judged by what the recording shows. - is standard input.

Without a terminal, or with --once, the recording is read to its end and its last snapshot printed.`,
		Example: `  beltrace replay demo:connect-accept
  beltrace replay beltrace-20260101-120000.ndjson.zst
  beltrace replay file.ndjson --once --json`,
		Args:              oneArg("a recording", "FILE"),
		ValidArgsFunction: completeRecordings,
		RunE:              func(c *cobra.Command, args []string) error { return a.replay(c.Context(), &f, &out, speed, args[0]) },
	}
	f.addSelection(c)
	f.addNetNS(c, "only the network namespace of this `number`, or at this path on this host")
	out.add(c)
	c.Flags().Lookup("headless").Usage = "print the last snapshot instead of the dashboard"
	c.Flags().Var(&speed, "speed", "`times` as fast as it happened, 0 for as fast as possible (the dashboard's default is 1)")
	return c
}

func (a *app) replay(ctx context.Context, f *watchFlags, out *outFlags, speed factor, path string) error {
	r, err := openRecording(path)
	if err != nil {
		return err
	}
	dashboard := out.dashboard(a)
	if !speed.given && dashboard {
		speed.times = 1
	}
	w, err := newReplay(r, speed.times, f)
	if err != nil {
		return err
	}
	var lesson *replayLesson
	if f.all() {
		lesson = newReplayLesson(r.Header().Demo)
	}
	if lesson != nil {
		w.Sinks = append(w.Sinks, lesson)
	}
	defer func() { a.sayUnknown(r.Skipped()) }()
	if !dashboard {
		w.Sinks = append(w.Sinks, &printer{out: a.out, json: out.json, make: w.snapshot})
		err := w.Run(ctx)
		if err == nil && lesson != nil && !out.json {
			seen, claims := lesson.Judge(w.Snapshot())
			err = a.conclude(lesson.demo, seen, claims)
		}
		return err
	}
	w.Dashboard = &tui.Options{Title: "replay " + filepath.Base(path), Recorded: true}
	if lesson != nil {
		pages := &lessonPages{lesson: &lesson.demo.Lesson, latest: w.Snapshot, judge: func(snap *model.Snapshot) []judged {
			_, claims := lesson.Judge(snap)
			return claims
		}}
		w.Dashboard.Lesson, w.Dashboard.Start = pages.View, pages.lesson.Steps[0].Page
	}
	return w.Run(ctx)
}

// sayUnknown says once what of a recording is not shown, because a newer version wrote it.
func (a *app) sayUnknown(s record.Skipped) {
	if s.Events == 0 {
		return
	}
	var names []string
	for _, name := range s.Names {
		names = append(names, fmt.Sprintf("%.40q", name))
	}
	a.say("%s left out, of kinds that this version does not know (%s): a newer beltrace has written them",
		view.Plural(s.Events, "event", "events"), strings.Join(names, ", "))
}

// newReplay returns a run over a recording.
func newReplay(r *record.Reader, speed float64, f *watchFlags) (*watch, error) {
	h := r.Header()
	feed := newReplayFeed(r, h.Start, speed, time.Duration(f.limit))
	opt := optionsOf(h)
	sel, err := f.selection()
	if err != nil {
		r.Close()
		return nil, err
	}
	if sel != nil {
		feed.pick, opt.Filters = sel.Pick, sel.words()
		if opt.Watch == insight.Whole && sel.partial() {
			opt.Watch = insight.Part
		}
	}
	w := &watch{Feed: feed, Model: collector.New(opt), Now: func() int64 { return h.Start }, Stay: true}
	if f.count > 0 {
		w.Sinks = append(w.Sinks, &counter{f.count})
	}
	return w, nil
}

// standardInput leads to standard input by a name.
const standardInput = "/dev/stdin"

// openRecording opens a file, standard input, or a recording that is shipped inside.
func openRecording(path string) (*record.Reader, error) {
	if name, ok := strings.CutPrefix(path, demoPrefix); ok {
		if _, err := findDemo(name); err != nil {
			return nil, err
		}
		data, err := recordings.Of(name)
		if err != nil {
			return nil, fmt.Errorf("no recording of the demo %q is shipped: run it with sudo beltrace demo %s", name, name)
		}
		return record.NewReader(bytes.NewReader(data))
	}
	if path == standardStream {
		path = standardInput // opened again, so that whoever waits for it can be interrupted
		if isTerminal(os.Stdin) {
			return nil, usagef("standard input is a terminal: a recording comes from a file or a pipe")
		}
	}
	r, err := record.Open(path)
	var where *fs.PathError
	if errors.As(err, &where) {
		return nil, fmt.Errorf("open recording %s: %w", path, where.Err)
	}
	return r, err
}

// completeRecordings offers the recordings that are shipped inside, beside files.
func completeRecordings(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, d := range demos.All() {
		if _, err := recordings.Of(d.Name); err == nil {
			names = append(names, demoPrefix+d.Name+"\t"+d.Summary)
		}
	}
	return names, cobra.ShellCompDirectiveDefault
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
