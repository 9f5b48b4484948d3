// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"beltrace/collector"
	"beltrace/collector/event"
	"beltrace/collector/record"
	"beltrace/internal/view"
)

// maxFlights is how many files of one name are told apart.
const maxFlights = 10_000

// flightJob is a file to be written: it has all it needs.
type flightJob struct {
	path        string
	header      record.Header
	reels       []record.Reel
	from, until int64 // ns, CLOCK_MONOTONIC; from may be before the first reel
	fired       firing
	keep        time.Duration
	budget      int
	draft       *draft
	lost        uint64 // events that were lost in that time
}

// draft is the file that is being written, if there is one. Half of it is of no use to anybody, and the disk may be full.
type draft struct {
	mu      sync.Mutex
	path    string
	dropped bool // nothing is to be written any more
}

// errDropped: the process ended before the file was finished.
var errDropped = errors.New("not finished")

// end ends the file, which err has kept from being written. It returns why there is none.
func (d *draft) end(err error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dropped {
		return errDropped
	}
	if err != nil {
		os.Remove(d.path)
	}
	d.path = ""
	return err
}

// drop removes the file and returns its name; "" if there was none.
func (d *draft) drop() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	path := d.path
	if d.path, d.dropped = "", true; path != "" {
		os.Remove(path)
	}
	return path
}

// write writes the file under the first free name, and returns what to tell the user.
func (j *flightJob) write() (string, error) {
	first := 0
	for i := range j.reels {
		if j.reels[i].Start <= j.from {
			first = i
		}
	}
	short := j.reels[0].Short && j.reels[0].Start > j.from
	j.from = max(j.from, j.reels[0].Start)
	w, path, err := j.create()
	if err != nil {
		return "", err
	}
	n, err := j.fill(w, j.reels[first:])
	if end := w.Close(); err == nil {
		err = end
	}
	if err := j.draft.end(err); err != nil {
		return "", fmt.Errorf("recording %s: %w", path, err)
	}
	before := view.Dur(j.fired.at - j.from)
	if short {
		before += fmt.Sprintf(" (not %s: %s hold no more)", shortDuration(j.keep), view.Bytes(uint64(j.budget)))
	}
	return fmt.Sprintf("wrote %s (%s, lost %d): %s before and %s after %s", path, view.Plural(n, "event", "events"), j.lost,
		before, view.Dur(max(0, j.until-j.fired.at)), strings.Join(j.fired.names, ", ")), nil
}

// create creates a file that was not there.
func (j *flightJob) create() (*record.Writer, string, error) {
	j.draft.mu.Lock()
	defer j.draft.mu.Unlock()
	if j.draft.dropped {
		return nil, "", errDropped
	}
	h := j.header
	h.Start = j.from
	for n := 1; n <= maxFlights; n++ {
		path := numbered(j.path, n)
		w, err := record.CreateNew(path, h)
		if w, err = ownedByUser(path, w, err); err == nil {
			j.draft.path = path
		}
		if !errors.Is(err, fs.ErrExist) {
			return w, path, err
		}
	}
	return nil, "", fmt.Errorf("create recording %s: there are %d of that name", j.path, maxFlights)
}

// numbered returns the n-th name of a file: slow.ndjson.zst, slow-2.ndjson.zst.
func numbered(path string, n int) string {
	if n == 1 {
		return path
	}
	name, zst := strings.CutSuffix(path, ".zst")
	ext := filepath.Ext(name)
	if ext == filepath.Base(name) { // .ndjson has no other name
		ext = ""
	}
	name = strings.TrimSuffix(name, ext)
	if zst {
		ext += ".zst"
	}
	return fmt.Sprintf("%s-%d%s", name, n, ext)
}

// fill writes what there was when the recording begins, then the events since. It returns how many.
func (j *flightJob) fill(w *record.Writer, reels []record.Reel) (int, error) {
	before := collector.New(optionsOf(j.header))
	n, begun := 0, false
	var e event.Event
	begin := func() error {
		for _, e := range existing(before.Snapshot(j.from)) {
			if err := w.Write(&e); err != nil {
				return err
			}
			n++
		}
		begun = true
		return nil
	}
	known := func(line []byte) error {
		if err := e.UnmarshalJSON(line); err != nil {
			return err
		}
		before.Add(&e)
		return nil
	}
	for i := range reels[0].Existing {
		if err := reels[0].Existing[i].Lines(known); err != nil {
			return n, err
		}
	}
	// split writes those events of a block that the recording has, and takes in the others.
	split := func(line []byte) error {
		if err := e.UnmarshalJSON(line); err != nil {
			return err
		}
		if !begun && e.TS < j.from {
			before.Add(&e)
			return nil
		}
		if !begun {
			if err := begin(); err != nil {
				return err
			}
		}
		n++
		if e.Kind == event.Lost {
			j.lost += e.Count
		}
		return w.WriteLine(line)
	}
	for i := range reels {
		for k := range reels[i].Blocks {
			b := &reels[i].Blocks[k]
			if !begun {
				if err := b.Lines(split); err != nil {
					return n, err
				}
				continue
			}
			if err := w.WriteBlock(b); err != nil {
				return n, err
			}
			n += b.Events
			j.lost += b.Lost
		}
	}
	if begun {
		return n, nil
	}
	return n, begin()
}
