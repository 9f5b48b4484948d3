// SPDX-License-Identifier: Apache-2.0

package record

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"time"

	"github.com/klauspost/compress/zstd"

	"beltrace/collector/event"
)

const (
	// tapeReels is into how many reels the time that is kept is cut.
	tapeReels = 8
	// tapeBlock is how many bytes of lines are compressed together.
	tapeBlock = 64 << 10
)

// Tape keeps the newest events in memory, compressed. It is cut into reels; each begins with what there was then, so
// that a recording can begin with any of them. A Tape belongs to one goroutine; what Reels returns is never changed.
type Tape struct {
	span   int64 // ns of one reel
	budget int   // bytes
	zst    *zstd.Encoder
	reels  []Reel // oldest first, the last one is being filled
	lines  []byte // of the last reel, not yet compressed
	next   Block  // what is known of them
	frame  []byte // the last block's, to be used again
	keep   int64
}

// Reel is a piece of a tape.
type Reel struct {
	Start int64 // CLOCK_MONOTONIC
	End   int64 // time of its newest event, or Start
	// Short reports that reels before it, which should have been kept, had to go because the budget was spent.
	Short    bool
	Existing []Block // what there was when it began
	Blocks   []Block // its events
	size     int     // bytes of the two
	fresh    int     // bytes of Blocks
}

// Block is some events in a row, compressed.
type Block struct {
	Events int    // how many there are
	Lost   uint64 // how many others were lost meanwhile
	frame  []byte // their lines
}

// NewTape returns a tape for the events of the last keep, in at most budget bytes; fewer events are kept when they take more.
func NewTape(keep time.Duration, budget int) (*Tape, error) {
	// The window bounds what the encoder keeps for itself.
	zst, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(128<<10))
	if err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	return &Tape{span: max(int64(keep)/tapeReels, 1), keep: int64(keep), budget: budget, zst: zst}, nil
}

// Due reports whether a new reel is to begin: the caller then calls Begin.
func (t *Tape) Due(now int64) bool {
	if len(t.reels) == 0 {
		return true
	}
	last := &t.reels[len(t.reels)-1]
	return now-last.Start >= t.span || last.fresh > t.budget/tapeReels
}

// Begin begins a reel at now with what exists, and forgets what is too old.
func (t *Tape) Begin(now int64, existing []event.Event) {
	t.pack()
	r := Reel{Start: now, End: now}
	for i := range existing {
		t.put(&existing[i])
		if len(t.lines) >= tapeBlock || i == len(existing)-1 {
			b := t.block()
			r.Existing, r.size = append(r.Existing, b), r.size+cap(b.frame)
		}
	}
	t.reels = append(t.reels, r)
	for len(t.reels) > 1 && t.reels[1].Start <= now-t.keep {
		t.reels = t.reels[1:]
	}
	t.shrink()
}

// Add keeps an event. Kinds that are not recorded are passed over. Begin must have been called.
func (t *Tape) Add(e *event.Event) {
	if e.Kind == event.None || e.Kind == event.Watermark {
		return
	}
	t.put(e)
	last := &t.reels[len(t.reels)-1]
	last.End = max(last.End, e.TS)
	if len(t.lines) >= tapeBlock {
		t.pack()
		t.shrink()
	}
}

// put takes an event to the lines.
func (t *Tape) put(e *event.Event) {
	t.lines = append(e.AppendJSON(t.lines), '\n')
	t.next.Events++
	if e.Kind == event.Lost {
		t.next.Lost += e.Count
	}
}

// pack compresses the newest lines.
func (t *Tape) pack() {
	if len(t.lines) == 0 {
		return
	}
	last := &t.reels[len(t.reels)-1]
	b := t.block()
	last.Blocks = append(last.Blocks, b)
	last.size += cap(b.frame)
	last.fresh += cap(b.frame)
}

// block compresses the lines at hand.
func (t *Tape) block() Block {
	b := t.next
	t.frame = t.zst.EncodeAll(t.lines, t.frame[:0])
	b.frame = bytes.Clone(t.frame) // no longer than it is: the encoder makes room for lines that do not shrink
	t.lines, t.next = t.lines[:0], Block{}
	return b
}

// shrink forgets the oldest reels until what is kept fits the budget. The last reel stays.
func (t *Tape) shrink() {
	for len(t.reels) > 1 && t.Size() > t.budget {
		t.reels = t.reels[1:]
		t.reels[0].Short = true
	}
}

// Size returns how many bytes the tape takes.
func (t *Tape) Size() int {
	n := cap(t.lines) + cap(t.frame)
	for i := range t.reels {
		n += t.reels[i].size
	}
	return n
}

// Reels returns what is kept, oldest first.
func (t *Tape) Reels() []Reel {
	t.pack()
	out := make([]Reel, len(t.reels))
	for i, r := range t.reels {
		r.Blocks = r.Blocks[:len(r.Blocks):len(r.Blocks)]
		out[i] = r
	}
	return out
}

// Lines calls each with the events, as lines without their ends. A line is valid until each returns.
func (b *Block) Lines(each func(line []byte) error) error {
	plain, err := decompress(bytes.NewReader(b.frame))
	if err != nil {
		return fmt.Errorf("read back what is kept: %w", err)
	}
	lines := bufio.NewReaderSize(plain, MaxLine)
	for {
		line, err := lines.ReadSlice('\n')
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read back what is kept: %w", err)
		}
		if err := each(line[:len(line)-1]); err != nil {
			return err
		}
	}
}
