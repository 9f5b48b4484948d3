// SPDX-License-Identifier: Apache-2.0

package live

import (
	"encoding/binary"
	"strings"
	"testing"
)

// TestRing reads records of which some go on at the beginning of the memory, one is given up, and one is being written.
func TestRing(t *testing.T) {
	const size = 64
	r := &ring{consumer: make([]byte, 8), producer: make([]byte, 8), data: make([]byte, size), mask: size - 1}
	at := uint64(0)
	write := func(text string, flags uint32) {
		record := binary.NativeEndian.AppendUint32(nil, uint32(len(text))|flags)
		record = append(append(record, 0, 0, 0, 0), text...)
		for i, b := range record {
			r.data[(at+uint64(i))%size] = b
		}
		at += uint64(len(record)+7) &^ 7
		binary.NativeEndian.PutUint64(r.producer, at)
	}
	for i := range 40 {
		text := strings.Repeat(string(rune('a'+i%26)), 8+i%17)
		write(text, 0)
		if i%5 == 0 {
			write("gone", ringDiscard)
		}
		r.begin()
		if got, complete := r.next(); string(got) != text || !complete {
			t.Fatalf("%d: %q, complete %v, want %q", i, got, complete, text)
		}
		if got, complete := r.next(); got != nil || !complete {
			t.Fatalf("%d: %q at the end, complete %v", i, got, complete)
		}
		if got := binary.NativeEndian.Uint64(r.consumer); got != at {
			t.Fatalf("%d: read up to %d of %d", i, got, at)
		}
	}
	write("busy", ringBusy)
	r.begin()
	if got, complete := r.next(); got != nil || complete {
		t.Errorf("%q, complete %v while a record is being written", got, complete)
	}
}
