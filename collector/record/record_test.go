// SPDX-License-Identifier: Apache-2.0

package record

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"beltrace/collector/event"
)

const head = `{"schema":1,"kernel":"6.12.0","arch":"amd64","tier":"full","probes":{"accept":{"hook":"fexit inet_csk_accept","fidelity":"exact"}},"boot_offset_ns":5}` + "\n"

func line(n int) string {
	return fmt.Sprintf(`{"ts":%d,"event":"connect","pid":7,"conn":%d,"remote":"[::1]:80"}`, n, n) + "\n"
}

// readAll returns what a recording delivers and how it ends (nil: at its end).
func readAll(in io.Reader) ([]event.Event, error) {
	r, err := NewReader(in)
	if err != nil {
		return nil, err
	}
	var all []event.Event
	for {
		var e event.Event
		switch err := r.Next(&e); err {
		case nil:
			all = append(all, e)
		case io.EOF:
			return all, nil
		default:
			return all, err
		}
	}
}

var cmpAddr = cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })

func sample(ts int64) event.Event {
	e := event.Event{
		TS: ts, Kind: event.Accept, PID: 7, TID: 8, Comm: "we\"b\n\\", Conn: 1 << 63, FD: -1, WaitNS: 0,
		Local: netip.MustParseAddrPort("[::1]:80"), Remote: netip.MustParseAddrPort("10.0.0.1:4000"), PreExisting: true,
		Container: "0123456789ab",
	}
	e.Set(event.FieldPID, event.FieldTID, event.FieldComm, event.FieldConn, event.FieldFD, event.FieldWaitNS,
		event.FieldLocal, event.FieldRemote, event.FieldPreExisting, event.FieldContainer)
	return e
}

func TestRoundTrip(t *testing.T) {
	h := Header{Schema: Schema, Kernel: "6.12.0", Arch: "amd64", Tier: "full", BootOffset: 5, Host: "web-1", Start: 3,
		Probes: map[string]Probe{"accept": {"fexit inet_csk_accept", "exact"}}, Facts: map[string]string{"wait_ns": "exact"}}
	for _, name := range []string{"a.ndjson", "a.ndjson.zst"} {
		path := filepath.Join(t.TempDir(), name)
		w, err := Create(path, h)
		if err != nil {
			t.Fatal(err)
		}
		var want []event.Event
		for i := range int64(3000) {
			e := sample(i)
			want = append(want, e)
			if err := w.Write(&e); err != nil {
				t.Fatal(err)
			}
			if err := w.Write(&event.Event{Kind: event.Watermark, TS: i}); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if err := w.Write(&want[0]); !errors.Is(err, os.ErrClosed) {
			t.Errorf("%s: write after close: %v", name, err)
		}
		r, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(h, r.Header()); diff != "" {
			t.Errorf("%s: header (-want +got):\n%s", name, diff)
		}
		for i := range want {
			var got event.Event
			if err := r.Next(&got); err != nil {
				t.Fatalf("%s: event %d: %v", name, i, err)
			}
			if diff := cmp.Diff(want[i], got, cmpAddr); diff != "" {
				t.Fatalf("%s: event %d (-want +got):\n%s", name, i, diff)
			}
		}
		if err := r.Next(new(event.Event)); err != io.EOF {
			t.Errorf("%s: at the end: %v", name, err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestBadInput(t *testing.T) {
	long := `{"ts":1,"event":"connect","comm":"` + strings.Repeat("x", 1<<20) + `"}` + "\n"
	tests := []struct {
		name, in string
		good     int // events before the bad line
		line     int
		err      error
		detail   string
	}{
		{"empty", "", 0, 1, ErrNotRecording, "empty"},
		{"text", "hello\n", 0, 1, ErrNotRecording, "no header"},
		{"text without end", "hello", 0, 1, ErrNotRecording, "no header"},
		{"an event first", line(1), 0, 1, ErrNotRecording, "no header"},
		{"binary", strings.Repeat("\x00\xff", 1<<19), 0, 1, ErrNotRecording, "no end"},
		{"other JSON", "[1,2]\n", 0, 1, ErrNotRecording, "no header"},
		{"another schema", `{"schema":2,"events":"elsewhere"}` + "\n", 0, 1, ErrSchema, "it has 2, this program reads 1"},
		{"no schema", `{"schema":null}` + "\n", 0, 1, ErrNotRecording, "no header"},
		{"bad header", `{"schema":1,"probes":7}` + "\n", 0, 1, ErrNotRecording, "probes"},
		{"header cut off", head[:40], 0, 1, ErrTruncated, "no end"},
		{"cut off in a line", head + line(1) + line(2)[:20], 1, 3, ErrTruncated, "no end"},
		{"cut off before the line's end", head + strings.TrimSuffix(line(1), "\n"), 0, 2, ErrTruncated, "no end"},
		{"line of 1 MB", head + line(1) + line(2) + long + line(3), 2, 4, ErrLongLine, ""},
		{"bad JSON", head + line(1) + "{\"ts\":1,,}\n", 1, 3, ErrBadLine, "not a JSON object"},
		{"empty line", head + line(1) + "\n" + line(2), 1, 3, ErrBadLine, "not a JSON object"},
		{"a list", head + line(1) + "[]\n", 1, 3, ErrBadLine, "not a JSON object"},
		{"a number", head + "5\n", 0, 2, ErrBadLine, "not a JSON object"},
		{"unknown event without ts", head + line(1) + `{"event":"exploded"}` + "\n", 1, 3, ErrBadLine, "no time stamp"},
		{"event is a number", head + `{"ts":1,"event":7}` + "\n", 0, 2, ErrBadLine, "no event name"},
		{"no ts", head + `{"event":"connect","ts":null}` + "\n", 0, 2, ErrBadLine, "no time stamp"},
		{"bad address", head + `{"ts":1,"event":"connect","local":"there"}` + "\n", 0, 2, ErrBadLine, "local"},
		{"address that draws", head + `{"ts":1,"event":"connect","local":"[fe80::1%\u001b[2J]:5"}` + "\n", 0, 2, ErrBadLine, "local: no address"},
		{"empty address", head + `{"ts":1,"event":"connect","local":""}` + "\n", 0, 2, ErrBadLine, "local"},
		{"pid out of range", head + `{"ts":1,"event":"connect","pid":-1}` + "\n", 0, 2, ErrBadLine, "pid: number -1 is not a value of it"},
		{"pid is a text", head + `{"ts":1,"event":"connect","pid":"one"}` + "\n", 0, 2, ErrBadLine, "pid: string is not a value of it"},
		{"kernel is a number", `{"schema":1,"kernel":5}` + "\n", 0, 1, ErrNotRecording, "bad header: number is not a value of kernel"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := readAll(strings.NewReader(tt.in))
			checkBad(t, got, err, tt.good, tt.line, tt.err)
			if err != nil && !strings.Contains(err.Error(), tt.detail) {
				t.Errorf("error %q does not say %q", err, tt.detail)
			}
		})
	}
}

// TestUnknownEvents reads what a newer version has written within the same schema.
func TestUnknownEvents(t *testing.T) {
	r, err := NewReader(strings.NewReader(head + line(1) +
		`{"ts":2,"event":"exploded","conn":7}` + "\n" + `{"ts":3,"event":"watermark"}` + "\n" + line(4) + `{"ts":5,"event":"exploded","pid":-1}` + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	var got []int64
	var e event.Event
	for err = r.Next(&e); err == nil; err = r.Next(&e) {
		got = append(got, e.TS)
	}
	if err != io.EOF || !slices.Equal(got, []int64{1, 4}) {
		t.Errorf("read %v and then %v", got, err)
	}
	if diff := cmp.Diff(Skipped{3, []string{"exploded", "watermark"}}, r.Skipped()); diff != "" {
		t.Errorf("skipped (-want +got):\n%s", diff)
	}
}

func TestUnknownEventsAreBounded(t *testing.T) {
	var in strings.Builder
	in.WriteString(head)
	for i := range 100 {
		fmt.Fprintf(&in, `{"ts":1,"event":"new%d"}`+"\n", i)
	}
	r, err := NewReader(strings.NewReader(in.String()))
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Next(new(event.Event)); err != io.EOF {
		t.Fatal(err)
	}
	if s := r.Skipped(); s.Events != 100 || len(s.Names) != maxNames {
		t.Errorf("skipped %d events, %d names are kept", s.Events, len(s.Names))
	}
}

func checkBad(t *testing.T, got []event.Event, err error, good, line int, want error) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("got error %v, want an *Error", err)
	}
	if len(got) != good || e.Line != line || !errors.Is(err, want) {
		t.Errorf("got %d events and %q, want %d events and line %d: %v", len(got), err, good, line, want)
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("error is not one line: %q", err)
	}
}

func TestErrorNamesFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.ndjson")
	if err := os.WriteFile(path, []byte("hello\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Open(path)
	if want := path + ": line 1: not a recording: the first line is no header"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if _, err := Open(path + "x"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
}

func TestNullIsAbsent(t *testing.T) {
	got, err := readAll(strings.NewReader(head + `{"ts":1,"event":"connect","pid":null,"local":null,"comm":null,"cpu":0,"new_field":[1]}` + "\n"))
	if err != nil || len(got) != 1 {
		t.Fatal(got, err)
	}
	e := got[0]
	if e.Known(event.FieldPID) || e.Known(event.FieldLocal) || e.Known(event.FieldComm) || !e.Known(event.FieldCPU) {
		t.Errorf("known fields: %v", e.Has)
	}
}

// compressed returns a recording of n events, flushed after each, and how long it was after each.
func compressed(t *testing.T, n int) ([]byte, []int) {
	t.Helper()
	var b bytes.Buffer
	w, err := NewZstdWriter(&b, Header{})
	if err != nil {
		t.Fatal(err)
	}
	var ends []int
	for i := range n {
		e := sample(int64(i))
		if err := w.Write(&e); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		ends = append(ends, b.Len())
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), ends
}

func TestBrokenZstd(t *testing.T) {
	whole, ends := compressed(t, 20)
	got, err := readAll(bytes.NewReader(whole[:ends[9]]))
	checkBad(t, got, err, 10, 12, ErrTruncated)
	got, err = readAll(bytes.NewReader(whole[:ends[9]+3]))
	checkBad(t, got, err, 10, 12, ErrTruncated)
	for cut := len(zstdMagic); cut < len(whole); cut++ {
		if _, err := readAll(bytes.NewReader(whole[:cut])); err == nil {
			t.Fatalf("cut at %d of %d: no error", cut, len(whole))
		}
	}
	damaged := bytes.Clone(whole)
	damaged[len(damaged)-2] ^= 0xff // in the checksum
	got, err = readAll(bytes.NewReader(damaged))
	checkBad(t, got, err, 20, 22, ErrDamaged)
}

func TestCloseEndsNext(t *testing.T) {
	pr, pw, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer pw.Close()
	if _, err := io.WriteString(pw, head); err != nil {
		t.Fatal(err)
	}
	r, err := newReader(pr, "")
	if err != nil {
		t.Fatal(err)
	}
	r.file = pr
	end := make(chan error)
	go func() { end <- r.Next(new(event.Event)) }()
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-end; err != io.EOF {
		t.Errorf("Next after Close: %v", err)
	}
}
