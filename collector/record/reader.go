// SPDX-License-Identifier: Apache-2.0

package record

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/klauspost/compress/zstd"

	"beltrace/collector/event"
)

// zstdMagic begins every zstd frame. Compression is told by it and not by the name, so that a renamed file opens too.
var zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd}

// maxWindow bounds the memory that a compressed recording can make the decoder take.
const maxWindow = 8 << 20

var _ event.Source = (*Reader)(nil)

// Reader is an event.Source that reads a recording.
type Reader struct {
	header Header
	path   string
	lines  *bufio.Reader
	line   int // number of the line last read
	err    error
	file   io.Closer // nil when the caller owns the stream
	closed atomic.Bool

	mu      sync.Mutex // of skipped: a reader that does not end may still be reading
	skipped Skipped
}

// Skipped says which events a newer version has written that this one does not know.
type Skipped struct {
	Events int
	Names  []string // of their kinds, in the order of their coming, the first maxNames
}

// maxNames bounds what a recording can make the reader keep.
const maxNames = 8

// Open opens the recording at path and reads its header.
func Open(path string) (*Reader, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if st, err := f.Stat(); err == nil && st.IsDir() {
		f.Close()
		return nil, &fs.PathError{Op: "open", Path: path, Err: syscall.EISDIR}
	}
	r, err := newReader(f, path)
	if err != nil {
		f.Close()
		return nil, err
	}
	r.file = f
	return r, nil
}

// NewReader reads a recording's header from in, plain or compressed. Closing the Reader does not close in.
func NewReader(in io.Reader) (*Reader, error) { return newReader(in, "") }

func newReader(in io.Reader, path string) (*Reader, error) {
	r := &Reader{path: path}
	plain, err := decompress(in)
	if err != nil {
		return nil, r.bad(ErrDamaged, err.Error())
	}
	r.lines = bufio.NewReaderSize(plain, MaxLine)
	if err := r.readHeader(); err != nil {
		return nil, err
	}
	return r, nil
}

// decompress returns the plain text of in.
func decompress(in io.Reader) (io.Reader, error) {
	b := bufio.NewReader(in)
	if magic, _ := b.Peek(len(zstdMagic)); !bytes.Equal(magic, zstdMagic) {
		return b, nil
	}
	// Concurrency 1 decodes in Read itself: no goroutine outlives the reader.
	return zstd.NewReader(b, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
}

func (r *Reader) readHeader() error {
	line, err := r.nextLine()
	if err == io.EOF {
		return r.bad(ErrNotRecording, "it is empty")
	}
	if err != nil {
		return err
	}
	var first struct {
		Schema *int `json:"schema"`
	}
	if err := json.Unmarshal(line, &first); err != nil || first.Schema == nil {
		return r.bad(ErrNotRecording, "the first line is no header")
	}
	if *first.Schema != Schema {
		return r.bad(ErrSchema, fmt.Sprintf("it has %d, this program reads %d", *first.Schema, Schema))
	}
	if err := json.Unmarshal(line, &r.header); err != nil {
		return r.bad(ErrNotRecording, "bad header: "+badHeader(err))
	}
	return nil
}

// Header returns the recording's first line.
func (r *Reader) Header() Header { return r.header }

// Line returns the number of the line that Next read last; the header is 1.
func (r *Reader) Line() int { return r.line }

// Next reads one event. At the end it returns io.EOF, at the first bad line an *Error, and the same again ever after. Events
// of an unknown kind are counted and passed over.
func (r *Reader) Next(e *event.Event) error {
	for {
		if r.closed.Load() {
			return io.EOF
		}
		if r.err != nil {
			return r.err
		}
		err := r.read(e)
		var unknown *event.UnknownKind
		switch {
		case errors.As(err, &unknown):
			r.skip(unknown.Name)
			continue
		case err != nil && r.closed.Load():
			return io.EOF
		}
		r.err = err
		return err
	}
}

// read reads the event of the next line.
func (r *Reader) read(e *event.Event) error {
	line, err := r.nextLine()
	if err != nil {
		return err
	}
	err = e.UnmarshalJSON(line)
	var unknown *event.UnknownKind
	if err == nil || errors.As(err, &unknown) {
		return err
	}
	return r.bad(ErrBadLine, badLine(err))
}

func (r *Reader) skip(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.skipped.Events++
	if len(r.skipped.Names) < maxNames && !slices.Contains(r.skipped.Names, name) {
		r.skipped.Names = append(r.skipped.Names, name)
	}
}

// Skipped says what Next has passed over so far. Any goroutine may ask.
func (r *Reader) Skipped() Skipped {
	r.mu.Lock()
	defer r.mu.Unlock()
	return Skipped{r.skipped.Events, slices.Clone(r.skipped.Names)}
}

// badHeader names the key of a value that is none of its own.
func badHeader(err error) string {
	var kind *json.UnmarshalTypeError
	if errors.As(err, &kind) {
		return fmt.Sprintf("%s is not a value of %s", kind.Value, kind.Field)
	}
	return err.Error()
}

// badLine words the decoder's complaint without its Go vocabulary.
func badLine(err error) string {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	if errors.As(err, &syntax) || errors.As(err, &kind) && kind.Field == "" && kind.Type.Kind() == reflect.Map {
		return "not a JSON object"
	}
	return err.Error()
}

// nextLine returns the next line without its end. It is valid until the next call.
func (r *Reader) nextLine() ([]byte, error) {
	line, err := r.lines.ReadSlice('\n')
	if err == io.EOF && len(line) == 0 {
		return nil, io.EOF
	}
	r.line++
	switch {
	case err == nil:
		return line[:len(line)-1], nil
	case errors.Is(err, bufio.ErrBufferFull) && r.line == 1:
		return nil, r.bad(ErrNotRecording, "the first line has no end")
	case errors.Is(err, bufio.ErrBufferFull):
		return nil, r.bad(ErrLongLine, "")
	case err == io.EOF && r.line == 1 && !bytes.HasPrefix(line, []byte("{")):
		return nil, r.bad(ErrNotRecording, "the first line is no header")
	case err == io.EOF:
		return nil, r.bad(ErrTruncated, "the last line has no end")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, r.bad(ErrTruncated, "the compressed data ends too early")
	}
	return nil, r.bad(ErrDamaged, err.Error())
}

// bad makes the error for the current line.
func (r *Reader) bad(what error, detail string) *Error {
	return &Error{Path: r.path, Line: max(r.line, 1), Err: what, Detail: detail}
}

// Close ends the reading; it may be called from any goroutine.
func (r *Reader) Close() error {
	if r.closed.Swap(true) || r.file == nil {
		return nil
	}
	return r.file.Close()
}
