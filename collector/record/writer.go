// SPDX-License-Identifier: Apache-2.0

package record

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"

	"beltrace/collector/event"
)

const (
	flushEvery = time.Second // how much a crash may cost
	flushAt    = 64 << 10    // bytes of complete lines that are kept back at most
)

// Writer writes a recording. What reaches the file are complete lines only, at most a second after their event, so
// that a recording whose writer was killed can be read up to there. All methods may be called from any goroutine.
type Writer struct {
	mu    sync.Mutex
	out   io.Writer
	raw   io.Writer     // where out's bytes go
	zst   *zstd.Encoder // nil when plain
	file  io.Closer     // nil when the caller owns the stream
	lines []byte        // complete lines that have not been written
	timer *time.Timer   // armed while lines holds something
	err   error         // the first error; writing stops there
	done  bool
}

// Create creates or overwrites the recording at path, compressed if the name ends in .zst.
func Create(path string, h Header) (*Writer, error) { return create(path, os.O_TRUNC, h) }

// CreateNew creates the recording at path as Create does, but overwrites nothing: the error is then fs.ErrExist.
func CreateNew(path string, h Header) (*Writer, error) { return create(path, os.O_EXCL, h) }

func create(path string, how int, h Header) (*Writer, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|how, 0o666)
	if err != nil {
		return nil, err
	}
	w, err := newWriter(f, h, strings.HasSuffix(path, ".zst"))
	if err != nil {
		f.Close()
		if how == os.O_EXCL { // nobody else has anything in it
			os.Remove(path)
		}
		return nil, err
	}
	w.file = f
	return w, nil
}

// NewWriter writes a plain recording to out. Closing the Writer does not close out.
func NewWriter(out io.Writer, h Header) (*Writer, error) { return newWriter(out, h, false) }

// NewZstdWriter writes a compressed recording to out. Closing the Writer does not close out.
func NewZstdWriter(out io.Writer, h Header) (*Writer, error) { return newWriter(out, h, true) }

func newWriter(out io.Writer, h Header, compress bool) (*Writer, error) {
	h.Schema = Schema
	if h.Probes == nil {
		h.Probes = map[string]Probe{}
	}
	line, err := json.Marshal(h)
	if err != nil {
		return nil, fmt.Errorf("encode header: %w", err)
	}
	w := &Writer{out: out, raw: out, lines: append(line, '\n')}
	if compress {
		w.zst, err = zstd.NewWriter(out, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20))
		if err != nil {
			return nil, fmt.Errorf("compress: %w", err)
		}
		w.out = w.zst
	}
	w.flush()
	return w, w.err
}

// Write adds one event. Kinds that are not recorded (watermarks) are passed over.
func (w *Writer) Write(e *event.Event) error {
	if e.Kind == event.None || e.Kind == event.Watermark {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil || w.done {
		return w.refused()
	}
	w.lines = append(e.AppendJSON(w.lines), '\n')
	w.written()
	return w.err
}

// WriteLine adds an event that is a line already, without its end.
func (w *Writer) WriteLine(line []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil || w.done {
		return w.refused()
	}
	w.lines = append(append(w.lines, line...), '\n')
	w.written()
	return w.err
}

// WriteBlock adds events of a tape. A compressed recording takes them as they are: a frame of its own.
func (w *Writer) WriteBlock(b *Block) error {
	if w.zst == nil {
		return b.Lines(w.WriteLine)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil || w.done {
		return w.refused()
	}
	w.flush()
	w.keep(w.zst.Close()) // its frame, if it has begun one
	if w.err == nil {
		_, err := w.raw.Write(b.frame)
		w.keep(err)
	}
	w.zst.Reset(w.raw)
	return w.err
}

// written flushes if it is time. The caller holds the lock.
func (w *Writer) written() {
	switch {
	case len(w.lines) >= flushAt:
		w.flush()
	case w.timer == nil:
		w.timer = time.AfterFunc(flushEvery, w.tick)
	}
}

func (w *Writer) refused() error {
	if w.err == nil {
		return os.ErrClosed
	}
	return w.err
}

// tick is the timer's flush. Its error is kept for the next Write, Flush or Close.
func (w *Writer) tick() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.done {
		w.flush()
	}
}

// Flush writes what is kept back.
func (w *Writer) Flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil || w.done {
		return w.refused()
	}
	w.flush()
	return w.err
}

// flush hands all complete lines over in one piece. The caller holds the lock, or is the only owner.
func (w *Writer) flush() {
	if w.timer != nil {
		w.timer.Stop()
		w.timer = nil
	}
	if w.err != nil || len(w.lines) == 0 {
		return
	}
	_, err := w.out.Write(w.lines)
	if err == nil && w.zst != nil {
		err = w.zst.Flush()
	}
	w.lines = w.lines[:0]
	w.keep(err)
}

// keep remembers the first error.
func (w *Writer) keep(err error) {
	if err != nil && w.err == nil {
		w.err = fmt.Errorf("write recording: %w", err)
	}
}

// Close writes what is kept back and ends the recording. It returns the first error there was.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.done {
		return w.err
	}
	w.flush()
	w.done = true
	if w.zst != nil {
		w.keep(w.zst.Close())
	}
	if w.file != nil {
		w.keep(w.file.Close())
	}
	return w.err
}
