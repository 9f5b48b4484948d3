// SPDX-License-Identifier: Apache-2.0

package tui

import (
	"strings"
	"testing"

	"beltrace/internal/view/viewtest"
)

// TestLongLesson: the text of a lesson gives way to the page only where the screen is low, and the key l shows it there; its
// title is never cut off.
func TestLongLesson(t *testing.T) {
	l := &LessonView{Title: "the queue that says no, without a word to whom it refuses", Step: 1, Steps: 1, Text: strings.Repeat("many words ", 70) + "the end"}
	o := Options{Lesson: func() *LessonView { return l }}
	start(t, 200, 50, viewtest.Busy(), o).until("refuses", "the end")
	start(t, 100, 50, viewtest.Busy(), o).until("refuses", "the end")
	low := start(t, 80, 24, viewtest.Busy(), o)
	low.until("refuses", " …", "l in full", "not:the end")
	low.press("l")
	low.until("Esc closes", "the end")
	low.press("l")
	low.until("not:Esc closes", "not:the end")
}
