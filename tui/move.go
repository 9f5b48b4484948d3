// SPDX-License-Identifier: Apache-2.0

package tui

import (
	"beltrace/internal/view"
)

// move moves the cursor of whatever is in front by n rows.
func (u *ui) move(n int) {
	if u.overlay != nil {
		u.overlay.first = max(0, u.overlay.first+n) // painting knows the end
		return
	}
	if u.snap == nil {
		return
	}
	if o := u.top(); o != nil {
		keys := links(o.lines())
		o.cursor.move(o.cursor.row+n, keys)
		return
	}
	s := u.state()
	s.list.move(s.list.row+n, u.table().Keys)
}

// home goes to the top of whatever is in front.
func (u *ui) home() {
	switch {
	case u.overlay != nil:
		u.overlay.first = 0
	case u.top() != nil:
		u.top().cursor.home()
	default:
		u.state().list.home()
	}
}

// screenful is by how many rows a page key moves.
func (u *ui) screenful() int {
	_, _, _, h := u.GetRect()
	if u.inList() && u.snap != nil {
		return max(1, (h-10)/u.table().RowHeight())
	}
	return max(1, h-10)
}

// moveColumn moves the cursor of columns; before the first column there is none.
func (u *ui) moveColumn(by int) {
	if !u.inList() || u.snap == nil || u.overlay != nil {
		return
	}
	s := u.state()
	shown := u.layout().Columns
	at := -1
	for i, col := range shown {
		if col == s.column {
			at = i
		}
	}
	at = max(-1, min(at+by, len(shown)-1))
	s.column = -1
	if at >= 0 {
		s.column = shown[at]
	}
}

// enter opens the record under the cursor.
func (u *ui) enter() {
	if u.overlay != nil {
		u.overlay = nil
		return
	}
	key := u.under()
	if key == (view.Key{}) {
		return
	}
	d, ok := view.Open(u.input(), key, u.bodyWidth())
	if !ok {
		u.tell("nothing more is known about it", false)
		return
	}
	u.state().opened = append(u.state().opened, opened{key: key, detail: d})
}

// under returns the key of what Enter opens.
func (u *ui) under() view.Key {
	if u.snap == nil {
		return view.Key{}
	}
	if o := u.top(); o != nil {
		if lines := o.lines(); len(lines) > 0 {
			return lines[o.cursor.row].Link
		}
		return view.Key{}
	}
	if t := u.table(); u.state().list.row < len(t.Keys) {
		return t.Target(u.state().list.row)
	}
	return view.Key{}
}

// back leaves one level: what stands above the page, then the filter of what is in front, then the record that is
// open. At the last level it does nothing.
func (u *ui) back() {
	o := u.top()
	switch {
	case u.overlay != nil:
		u.overlay = nil
	case o != nil && !o.filter.Empty():
		o.filter = view.Filter{}
	case o != nil:
		s := u.state()
		s.opened = s.opened[:len(s.opened)-1]
	case !u.filter.Empty():
		u.setFilter(view.Filter{})
	case u.state().column >= 0:
		u.state().column = -1
	}
}

// setFilter sets the filter of what is in front: of the open record, or of all pages.
func (u *ui) setFilter(f view.Filter) {
	if o := u.top(); o != nil {
		o.filter = f
		return
	}
	u.filter = f
	u.changed()
}

// frontFilter returns the filter of what is in front.
func (u *ui) frontFilter() view.Filter {
	if o := u.top(); o != nil {
		return o.filter
	}
	return u.filter
}

// sortNext sorts by the next visible column that can be sorted by.
func (u *ui) sortNext() {
	if u.snap == nil {
		return
	}
	s, t := u.state(), u.table()
	var names []string
	at := -1
	for _, col := range u.layout().Columns {
		if h := t.Heads[col]; h.Sortable {
			if h.Title == s.sort.Column {
				at = len(names)
			}
			names = append(names, h.Title)
		}
	}
	if len(names) > 0 {
		s.sort = view.Sort{Column: names[(at+1)%len(names)]}
		s.table = nil
	}
}

func (u *ui) sortReverse() {
	u.state().sort.Reverse = !u.state().sort.Reverse
	u.state().table = nil
}

// freeze stops the picture, or lets it go on.
func (u *ui) freeze() {
	u.frozen = !u.frozen
	if !u.frozen && u.live != nil {
		u.snap = u.live
		u.changed()
	}
}

// recordResult is what Record returned.
type recordResult struct {
	on   bool
	text string
	err  error
}

// record switches recording. It may open a file, and so does not run here.
func (u *ui) record() {
	switch {
	case u.opt.Record == nil:
		u.tell("recording is not available here", true)
		return
	case u.pending:
		return
	}
	u.pending = true
	on, switchTo := !u.recording, u.opt.Record
	go func() {
		text, err := switchTo(on)
		u.recorded <- recordResult{on, text, err} // has room for the only one that is pending
	}()
}

// takeRecorded takes note of what Record did.
func (u *ui) takeRecorded() {
	select {
	case r := <-u.recorded:
		u.pending = false
		if r.err != nil {
			u.recordFailed(r.err)
			return
		}
		u.recording = r.on
		if r.text != "" {
			u.tell(r.text, false)
		}
	default:
		if u.recording && !u.pending && u.opt.RecordFailed != nil {
			u.recordFailed(u.opt.RecordFailed())
		}
	}
}

// recordFailed says why there is no recording, or none any more.
func (u *ui) recordFailed(err error) {
	if err != nil {
		u.recording = false
		u.tell("recording: "+err.Error(), true)
	}
}
