// SPDX-License-Identifier: Apache-2.0

package view

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"beltrace/collector/model"
)

// JSON writes the snapshot as one object on one line: what --once --json prints. Empty lists are [], empty maps {}; what
// is not known is left out.
func JSON(w io.Writer, s *model.Snapshot) error {
	out := *s
	out.Probes = orEmpty(s.Probes)
	out.Lost = orEmpty(s.Lost)
	out.Listeners = make([]model.Listener, len(s.Listeners))
	for i, l := range s.Listeners {
		out.Listeners[i] = complete(l)
	}
	out.Connections = []model.Connection{} // they come one by one
	out.Exchanges = orNone(s.Exchanges)
	out.Exchanges = slices.Clone(out.Exchanges)
	for i := range out.Exchanges {
		if out.Exchanges[i].TotalNS.Known {
			out.Exchanges[i].Phases = orEmpty(out.Exchanges[i].Phases)
		}
	}
	out.Routes = slices.Clone(orNone(s.Routes))
	for i := range out.Routes {
		out.Routes[i].Phases = orEmpty(out.Routes[i].Phases)
	}
	out.Loops = orNone(s.Loops)
	out.Rings = slices.Clone(orNone(s.Rings))
	for i := range out.Rings {
		out.Rings[i].Ops = completeOps(s.Rings[i].Ops)
	}
	out.Workers = orNone(s.Workers)
	out.Findings = make([]model.Finding, len(s.Findings))
	for i, f := range s.Findings {
		f.Numbers = orEmpty(f.Numbers)
		out.Findings[i] = f
	}
	out.Namespaces = make([]model.Namespace, len(s.Namespaces))
	for i, n := range s.Namespaces {
		n.Unplaced = orEmpty(n.Unplaced)
		out.Namespaces[i] = n
	}
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(&out); err != nil {
		return err
	}
	// No text in the snapshot can be mistaken for this: its quotes would be escaped.
	before, after, _ := bytes.Cut(bytes.Clone(text.Bytes()), []byte(`"connections":[`))
	if _, err := fmt.Fprintf(w, `%s"connections":[`, before); err != nil {
		return err
	}
	if err := writeList(w, &text, enc, s.Connections); err != nil {
		return err
	}
	_, err := w.Write(after)
	return err
}

// writeList writes the elements of a list, separated by commas, a few at a time: all of a busy host's in one buffer would
// be the largest thing in memory.
func writeList[T any](w io.Writer, text *bytes.Buffer, enc *json.Encoder, list []T) error {
	text.Reset()
	for i := range list {
		if i > 0 {
			text.WriteByte(',')
		}
		if err := enc.Encode(&list[i]); err != nil {
			return err
		}
		text.Truncate(text.Len() - 1) // the line's end
		if text.Len() < 64<<10 && i < len(list)-1 {
			continue
		}
		if _, err := w.Write(text.Bytes()); err != nil {
			return err
		}
		text.Reset()
	}
	return nil
}

// complete returns the listener with its empty lists and maps made. The snapshot itself is shared and stays as it is.
func complete(l model.Listener) model.Listener {
	l.SYNDrops = ifKnown(l.SYNDrops, l.Fidelity["syn_drops"])
	l.ACKDrops = ifKnown(l.ACKDrops, l.Fidelity["ack_drops"])
	l.Fidelity = orEmpty(l.Fidelity)
	acceptors := make([]model.Acceptor, len(l.Acceptors))
	for i, a := range l.Acceptors {
		a.Errors = ifKnown(a.Errors, l.Fidelity["accept_error"])
		a.Between.V.BlockedNS = orEmpty(a.Between.V.BlockedNS)
		acceptors[i] = a
	}
	l.Acceptors = acceptors
	return l
}

// ifKnown returns the counts, or nothing where that there are none only means that nobody saw them.
func ifKnown(m map[string]uint64, f model.Fidelity) map[string]uint64 {
	if len(m) == 0 && f == model.Unknown {
		return nil
	}
	return orEmpty(m)
}

// completeOps returns the operations with their empty maps made.
func completeOps(ops map[string]model.RingOp) map[string]model.RingOp {
	out := make(map[string]model.RingOp, len(ops))
	for name, o := range ops {
		o.How = orEmpty(o.How)
		out[name] = o
	}
	return out
}

func orNone[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func orEmpty[K comparable, V any](m map[K]V) map[K]V {
	if m == nil {
		return map[K]V{}
	}
	return m
}
