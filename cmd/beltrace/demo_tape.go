// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"io"

	"beltrace/collector/event"
	"beltrace/collector/record"
)

// maxTape is how much a demo may say in a recording, in bytes before compression: they are short.
const maxTape = 16 << 20

// demoTape records a demo. It keeps the events until the end, as a recording begins with what its programs said, which
// is known only then.
type demoTape struct {
	path   string
	header record.Header
	kept   bytes.Buffer // a recording without those words
	plain  *record.Writer
}

var _ sink = (*demoTape)(nil)

// newDemoTape returns nil if there is no path.
func newDemoTape(path string, h record.Header) *demoTape {
	if path == "" {
		return nil
	}
	t := &demoTape{path: path, header: h}
	t.plain, _ = record.NewWriter(&t.kept, h) // its first error is that of Close
	return t
}

// Add keeps the event.
func (t *demoTape) Add(e *event.Event) error {
	if t.kept.Len() > maxTape {
		return errors.New("this demo is too long to be recorded")
	}
	return t.plain.Write(e)
}

// Tick writes down what was added, so that its length is known.
func (t *demoTape) Tick(int64) error { return t.plain.Flush() }

// End ends it.
func (t *demoTape) End() error { return t.plain.Close() }

// Save writes the recording with what the programs said. A tape that is nil has nothing to save.
func (t *demoTape) Save(said *record.Demo) error {
	if t == nil {
		return nil
	}
	t.header.Demo = said
	out, err := createRecording(t.path, t.header)
	if err != nil {
		return err
	}
	err = copyEvents(out, &t.kept)
	return errors.Join(err, out.Close())
}

func copyEvents(to *record.Writer, from io.Reader) error {
	r, err := record.NewReader(from)
	if err != nil {
		return err
	}
	var e event.Event
	for {
		if err := r.Next(&e); err != nil {
			if err == io.EOF {
				return nil
			}
			return err
		}
		if err := to.Write(&e); err != nil {
			return err
		}
	}
}
