// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"beltrace/collector/event"
	"beltrace/collector/live"
	"beltrace/collector/probes"
	"beltrace/collector/record"
	"beltrace/internal/view"
)

// standardStream names standard output, or standard input, instead of a file.
const standardStream = "-"

func (a *app) recordCmd() *cobra.Command {
	var f watchFlags
	var flight flightFlags
	c := &cobra.Command{
		Use:   "record FILE [flags] [-- CMD ARGS...]",
		Short: "Write events to a file, to be replayed anywhere",
		Long: `Write events to a file, to be replayed anywhere. A name that ends in .zst is compressed; - is standard output.

With a command, it is started when everything is attached, and only it and its children are watched.

With --on it is a flight recorder: the last minute is kept in memory, and FILE is written when that
finding fires, with what came before and the 5 s after. It goes on: at most once a minute a further
file is written, FILE-2 and so on; none is overwritten.`,
		Example: `  sudo beltrace record slow.ndjson.zst --port 8080 --for 30s
  sudo beltrace record start.ndjson -- ./my-server
  ssh web-1 sudo beltrace record - --for 30s | beltrace replay -
  sudo beltrace record slow.ndjson.zst --last 60s --on accept-queue-full`,
		Args: recordArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if flight.given(c) {
				return a.recordFlight(c.Context(), &f, &flight, args[0], args[1:])
			}
			return a.record(c.Context(), &f, args[0], args[1:])
		},
	}
	f.add(c)
	flight.add(c)
	return c
}

// recordArgs asks for a file, and for a command if there is a --.
func recordArgs(c *cobra.Command, args []string) error {
	if err := oneArg("a file to write", "FILE")(c, args); err != nil {
		return err
	}
	if c.ArgsLenAtDash() == len(args) {
		return usagef("beltrace record needs a command after --: beltrace record FILE -- CMD ARGS...")
	}
	return nil
}

func (a *app) record(ctx context.Context, f *watchFlags, path string, args []string) error {
	s, cmd, err := a.openRecord(ctx, f, path, args)
	if err != nil {
		return err
	}
	out, err := a.createOutput(path, s.header)
	if err != nil {
		s.Close()
		if cmd != nil {
			cmd.Abandon()
		}
		return err
	}
	w, sink := s.watch(), &recordSink{out: out, file: isFile(path), left: f.count}
	w.Limit = time.Duration(f.limit)
	w.Sinks = append(w.Sinks, sink)
	err = a.runWith(ctx, w, s, cmd)
	a.say("%s", sink.summary(path))
	return err
}

// createOutput creates a recording, on standard output if path is standardStream.
func (a *app) createOutput(path string, h record.Header) (*record.Writer, error) {
	if path == standardStream {
		return record.NewWriter(a.out, h)
	}
	return createRecording(path, h)
}

func (a *app) openRecord(ctx context.Context, f *watchFlags, path string, args []string) (*session, *command, error) {
	if err := checkOutput(path); err != nil {
		return nil, nil, err
	}
	if len(args) > 0 {
		return a.openCommand(ctx, f, args, a.err, forReplay)
	}
	c, err := f.config()
	if err != nil {
		return nil, nil, err
	}
	forReplay(&c)
	s, err := a.open(ctx, c, f.verbose)
	return s, nil, err
}

// forReplay asks for what a page of a recording's replay may show and nobody can ask for later: of what a filter selects, also
// what becomes ready in event loops, which runs for each packet of the host.
func forReplay(c *live.Config) {
	c.SYN = true
	if c.Filtered() {
		c.Want = append(c.Want, probes.Readiness)
	}
}

// checkOutput refuses a path where no recording can be created, before anything is attached.
func checkOutput(path string) error {
	if path == standardStream {
		return nil
	}
	if dir := filepath.Dir(path); !isDir(dir) {
		return fmt.Errorf("create recording %s: there is no directory %s", path, dir)
	}
	if st, err := os.Stat(path); err == nil && st.IsDir() {
		return fmt.Errorf("create recording %s: it is a directory", path)
	}
	return nil
}

func isDir(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.IsDir() || err != nil && !errors.Is(err, fs.ErrNotExist)
}

func isFile(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.Mode().IsRegular()
}

// recordSink writes every event.
type recordSink struct {
	out    *record.Writer
	file   bool   // out is a regular file
	left   uint64 // 0: no end
	events uint64
	lost   uint64
}

var _ fileSink = (*recordSink)(nil)

// ToFile reports whether it writes to a regular file.
func (r *recordSink) ToFile() bool { return r.file }

// Add writes the event.
func (r *recordSink) Add(e *event.Event) error {
	if err := r.out.Write(e); err != nil {
		return err
	}
	if e.Kind == event.Lost {
		r.lost += e.Count
	}
	r.events++
	if r.left > 0 && happened(e) {
		if r.left--; r.left == 0 {
			return errEnough
		}
	}
	return nil
}

// Tick does nothing: the writer has its own rhythm.
func (r *recordSink) Tick(int64) error { return nil }

// End closes the file.
func (r *recordSink) End() error { return r.out.Close() }

// summary says what was recorded.
func (r *recordSink) summary(path string) string {
	to := path + " (unknown size)"
	if st, err := os.Stat(path); path == standardStream {
		to = "standard output"
	} else if err == nil {
		to = fmt.Sprintf("%s (%s)", path, view.Bytes(uint64(st.Size())))
	}
	return fmt.Sprintf("recorded %s to %s, lost %d", view.Plural(int(r.events), "event", "events"), to, r.lost)
}
