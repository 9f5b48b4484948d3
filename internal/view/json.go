// SPDX-License-Identifier: Apache-2.0

package view

import (
	"encoding/json"
	"io"

	"beltrace/collector/model"
)

// JSON writes the snapshot as one object on one line: what --once --json prints. Empty lists are [], empty maps {}.
func JSON(w io.Writer, s *model.Snapshot) error {
	out := *s
	out.Probes = orEmpty(s.Probes)
	out.Lost = orEmpty(s.Lost)
	out.Listeners = make([]model.Listener, len(s.Listeners))
	for i, l := range s.Listeners {
		out.Listeners[i] = complete(l)
	}
	out.Connections = orNone(s.Connections)
	out.Exchanges = orNone(s.Exchanges)
	out.Routes = orNone(s.Routes)
	out.Loops = orNone(s.Loops)
	out.Rings = orNone(s.Rings)
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
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(&out)
}

// complete returns the listener with its empty lists and maps made. The snapshot itself is shared and stays as it is.
func complete(l model.Listener) model.Listener {
	l.SYNDrops = orEmpty(l.SYNDrops)
	l.ACKDrops = orEmpty(l.ACKDrops)
	l.Fidelity = orEmpty(l.Fidelity)
	acceptors := make([]model.Acceptor, len(l.Acceptors))
	for i, a := range l.Acceptors {
		a.Errors = orEmpty(a.Errors)
		a.Between.V.BlockedNS = orEmpty(a.Between.V.BlockedNS)
		acceptors[i] = a
	}
	l.Acceptors = acceptors
	return l
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
