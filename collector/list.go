// SPDX-License-Identifier: Apache-2.0

package collector

import "iter"

// A connection stands in two lists at most: one by its state, one of its listener's accept queue.
const (
	inState = iota
	inQueue
)

type link struct {
	prev, next *conn
	in         *list
}

// list is a doubly linked list through the connections themselves: no allocation, and removal costs the same anywhere.
type list struct {
	which      int // inState, inQueue
	head, tail *conn
	len        int
}

func (l *list) push(x *conn) {
	k := &x.links[l.which]
	*k = link{prev: l.tail, in: l}
	if l.tail == nil {
		l.head = x
	} else {
		l.tail.links[l.which].next = x
	}
	l.tail = x
	l.len++
}

// remove takes x out; it does nothing if x is not in this list.
func (l *list) remove(x *conn) {
	k := &x.links[l.which]
	if k.in != l {
		return
	}
	if k.prev == nil {
		l.head = k.next
	} else {
		k.prev.links[l.which].next = k.next
	}
	if k.next == nil {
		l.tail = k.prev
	} else {
		k.next.links[l.which].prev = k.prev
	}
	*k = link{}
	l.len--
}

// all yields the list from its head; the connection at hand may be removed meanwhile.
func (l *list) all() iter.Seq[*conn] {
	return func(yield func(*conn) bool) {
		for x := l.head; x != nil; {
			next := x.links[l.which].next
			if !yield(x) {
				return
			}
			x = next
		}
	}
}

// backward yields the list from its tail.
func (l *list) backward() iter.Seq[*conn] {
	return func(yield func(*conn) bool) {
		for x := l.tail; x != nil; x = x.links[l.which].prev {
			if !yield(x) {
				return
			}
		}
	}
}
