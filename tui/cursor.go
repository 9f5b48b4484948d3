// SPDX-License-Identifier: Apache-2.0

package tui

import "beltrace/internal/view"

// cursor is a place in a list. Once it was moved it stays with its record, wherever that goes; before, it stays on top.
type cursor struct {
	row, first int // the row that it is on, the first row that is visible
	moved      bool
	key        view.Key // the record, when moved
}

// follow puts the cursor on its record in a new list. If the record is gone, it stays where it is and takes the record there.
func (c *cursor) follow(keys []view.Key) {
	switch {
	case len(keys) == 0:
		c.row, c.first = 0, 0
		return
	case !c.moved:
		c.row, c.first = 0, 0
		return
	}
	before := c.row
	if i := nearest(keys, c.key, c.row); i >= 0 {
		c.row = i
		c.first += i - before // the record keeps its place on the screen
		return
	}
	c.row = min(c.row, len(keys)-1)
	c.key = keys[c.row]
}

// nearest returns where the record is, next to row if it has several; -1 if it is nowhere, or is none.
func nearest(keys []view.Key, key view.Key, row int) int {
	best := -1
	for i, k := range keys {
		if k == key && k != (view.Key{}) && (best < 0 || abs(i-row) < abs(best-row)) {
			best = i
		}
	}
	return best
}

func abs(n int) int { return max(n, -n) }

// move goes to a row of the list.
func (c *cursor) move(row int, keys []view.Key) {
	if len(keys) == 0 {
		return
	}
	c.row = max(0, min(row, len(keys)-1))
	c.key = keys[c.row]
	c.moved = true
}

// home goes to the top and stays there, whatever record is there.
func (c *cursor) home() { *c = cursor{} }

// scroll makes the row visible among n rows of which visible fit.
func (c *cursor) scroll(n, visible int) {
	c.first = min(c.first, c.row)
	c.first = max(c.first, c.row-visible+1)
	c.first = max(0, min(c.first, n-visible))
}
