// SPDX-License-Identifier: Apache-2.0

package tui

import (
	"github.com/gdamore/tcell/v2"

	"beltrace/internal/view"
)

// The two colours, from the terminal's own palette: they are what its user chose them to be.
const (
	accentColor  = tcell.ColorTeal   // 6 of the palette
	warningColor = tcell.ColorMaroon // 1 of the palette
)

// theme maps meanings to the terminal's attributes. Each meaning differs by an attribute or by its text as well.
type theme map[view.Style]tcell.Style

func newTheme(noColor bool) theme {
	base := tcell.StyleDefault
	accent, warning := base.Foreground(accentColor), base.Foreground(warningColor)
	if noColor {
		accent, warning = base, base.Underline(true)
	}
	return theme{
		view.Normal:  base,
		view.Strong:  base.Bold(true),
		view.Accent:  accent,
		view.Good:    accent.Bold(true),
		view.Warning: warning,
		view.Bad:     warning.Bold(true),
		view.Dim:     base.Dim(true),
		view.Marked:  base.Bold(true).Reverse(true),
	}
}

// selected is how a piece of text looks in the line that the cursor is on.
func (t theme) selected(s view.Style) tcell.Style {
	style := tcell.StyleDefault.Reverse(true)
	if s == view.Strong || s == view.Bad || s == view.Good {
		style = style.Bold(true)
	}
	return style
}
