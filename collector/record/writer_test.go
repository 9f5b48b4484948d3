// SPDX-License-Identifier: Apache-2.0

package record

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// locked is a file for the race detector: the kernel orders what the writer's timer and a reader do.
type locked struct {
	mu sync.Mutex
	b  []byte
}

func (l *locked) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.b = append(l.b, b...)
	return len(b), nil
}

func (l *locked) Bytes() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.b)
}

func TestWriterFlushesEverySecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b locked
		w, err := NewWriter(&b, Header{})
		if err != nil {
			t.Fatal(err)
		}
		header := len(b.Bytes())
		e := sample(1)
		if err := w.Write(&e); err != nil {
			t.Fatal(err)
		}
		time.Sleep(flushEvery - time.Nanosecond)
		synctest.Wait()
		if n := len(b.Bytes()); header == 0 || n != header {
			t.Fatalf("written %d bytes at once, want the header only (%d)", n, header)
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		got, err := readAll(bytes.NewReader(b.Bytes()))
		if err != nil || len(got) != 1 {
			t.Fatalf("after a second: %d events, %v", len(got), err)
		}
		if err := w.Write(&e); err != nil {
			t.Fatal(err)
		}
		time.Sleep(flushEvery)
		synctest.Wait()
		if got, err := readAll(bytes.NewReader(b.Bytes())); err != nil || len(got) != 2 {
			t.Fatalf("after two seconds: %d events, %v", len(got), err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// full is a disk with room for n bytes.
type full struct{ n int }

func (f *full) Write(b []byte) (int, error) {
	if f.n -= len(b); f.n < 0 {
		return 0, errors.New("no space left")
	}
	return len(b), nil
}

func TestWriterKeepsFirstError(t *testing.T) {
	if _, err := NewWriter(&full{}, Header{}); err == nil {
		t.Fatal("no error from a full disk")
	}
	w, err := NewWriter(&full{200}, Header{})
	if err != nil {
		t.Fatal(err)
	}
	e := sample(1)
	if err := w.Write(&e); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err == nil || !strings.Contains(err.Error(), "write recording: no space left") {
		t.Errorf("flush: %v", err)
	}
	for _, err := range []error{w.Write(&e), w.Close(), w.Close()} {
		if err == nil {
			t.Error("the error was forgotten")
		}
	}
}
