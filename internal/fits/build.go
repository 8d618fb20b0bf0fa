package fits

import (
	"fmt"
	"strconv"
	"strings"
)

// BlockSize is the length of a FITS block in bytes; headers and data units are whole blocks (standard 4.0, section 3.1).
const BlockSize = 2880

// CardSize is the length of a card image in bytes.
const CardSize = 80

// Padding is the number of fill bytes after n bytes of data, 0 to 2879. n must not be negative.
func Padding(n int64) int64 { return (BlockSize - n%BlockSize) % BlockSize }

// Header builds the header of one HDU, card by card, for tests and the simulated archive. The first thing that cannot be
// written (a bad keyword, a value too long for its card) is kept and returned by Bytes. The zero value is an empty header;
// Primary, Image and BinTable begin one with its mandatory cards. It is not safe for concurrent use.
type Header struct {
	cards []byte
	err   error
}

// Primary begins a primary header: SIMPLE, BITPIX, NAXIS, NAXISn and EXTEND. No axes mean an HDU without data.
func Primary(bitpix int, axes ...int64) *Header {
	h := new(Header).Bool("SIMPLE", true, "conforms to FITS standard")
	return h.array(bitpix, axes).Bool("EXTEND", true, "")
}

// Image begins an image extension named name: XTENSION, BITPIX, NAXIS, NAXISn, PCOUNT, GCOUNT and EXTNAME.
func Image(name string, bitpix int, axes ...int64) *Header {
	h := new(Header).String("XTENSION", "IMAGE", "Image extension")
	return h.array(bitpix, axes).Int("PCOUNT", 0, "").Int("GCOUNT", 1, "").String("EXTNAME", name, "")
}

// BinTable begins a binary table named name with the given rows, bytes in the heap and columns (TFORMn values). The width of
// a row follows from the columns.
func BinTable(name string, rows, heap int64, columns ...string) *Header {
	width, err := int64(0), error(nil)
	for i, form := range columns {
		w, ok := formWidth([]byte(form))
		if !ok && err == nil {
			err = fmt.Errorf("building column %d: bad TFORM %q", i+1, form)
		}
		width += w
	}
	h := new(Header).String("XTENSION", "BINTABLE", "Binary table extension").array(8, []int64{width, rows})
	h.Int("PCOUNT", heap, "").Int("GCOUNT", 1, "").Int("TFIELDS", int64(len(columns)), "")
	for i, form := range columns {
		h.String("TFORM"+strconv.Itoa(i+1), form, "")
	}
	h.String("EXTNAME", name, "")
	if h.err == nil {
		h.err = err
	}
	return h
}

func (h *Header) array(bitpix int, axes []int64) *Header {
	h.Int("BITPIX", int64(bitpix), "").Int("NAXIS", int64(len(axes)), "")
	for i, n := range axes {
		h.Int("NAXIS"+strconv.Itoa(i+1), n, "")
	}
	return h
}

// Bool adds a logical card in fixed format.
func (h *Header) Bool(name string, v bool, comment string) *Header {
	text := "F"
	if v {
		text = "T"
	}
	return h.fixed(name, text, comment)
}

// Int adds an integer card in fixed format.
func (h *Header) Int(name string, v int64, comment string) *Header {
	return h.fixed(name, strconv.FormatInt(v, 10), comment)
}

// Float adds a real card; NaN and infinities have no FITS form and are an error.
func (h *Header) Float(name string, v float64, comment string) *Header {
	text := strings.ToUpper(strconv.FormatFloat(v, 'G', -1, 64))
	if strings.ContainsAny(text, "NI") {
		return h.fail(name, "not a finite number")
	}
	if !strings.ContainsAny(text, ".E") {
		text += ".0"
	}
	return h.fixed(name, text, comment)
}

// String adds a string card: quotes doubled, padded to eight characters. A value whose text does not fit one card (68
// characters) is an error; there is no CONTINUE.
func (h *Header) String(name, v, comment string) *Header {
	text := fmt.Sprintf("'%-8s'", strings.ReplaceAll(v, "'", "''"))
	if len(text) > CardSize-10 {
		return h.fail(name, "value too long for a card")
	}
	return h.add(name, fmt.Sprintf("%-20s", text), comment)
}

// Comment adds a COMMENT card of at most 72 characters.
func (h *Header) Comment(text string) *Header {
	return h.raw("COMMENT " + text)
}

// Cards is the number of cards so far, without END.
func (h *Header) Cards() int { return len(h.cards) / CardSize }

// Bytes returns the header with END, padded to whole blocks, or the first error of the building. The slice is the caller's.
func (h *Header) Bytes() ([]byte, error) {
	if h.err != nil {
		return nil, h.err
	}
	size := int64(len(h.cards) + CardSize)
	out := make([]byte, 0, size+Padding(size))
	out = append(out, h.cards...)
	out = append(out, "END"...)
	for len(out) < cap(out) {
		out = append(out, ' ')
	}
	return out, nil
}

func (h *Header) fixed(name, text, comment string) *Header {
	return h.add(name, fmt.Sprintf("%20s", text), comment)
}

func (h *Header) add(name, value, comment string) *Header {
	if name == "" || len(name) > 8 || !validName([]byte(fmt.Sprintf("%-8s", name))) {
		return h.fail(name, "not a keyword")
	}
	card := fmt.Sprintf("%-8s= %s", name, value)
	if comment != "" && len(card)+3 < CardSize {
		card += " / " + comment
		card = card[:min(len(card), CardSize)]
	}
	return h.raw(card)
}

func (h *Header) raw(card string) *Header {
	if len(card) > CardSize {
		return h.fail(card[:8], "text too long for a card")
	}
	for i := range len(card) {
		if card[i] < ' ' || card[i] > '~' {
			return h.fail(card[:min(8, len(card))], "not printable ASCII")
		}
	}
	h.cards = append(h.cards, fmt.Sprintf("%-80s", card)...)
	return h
}

func (h *Header) fail(name, why string) *Header {
	if h.err == nil {
		h.err = fmt.Errorf("building card %q: %s", name, why)
	}
	return h
}

// Seal adds DATASUM and CHECKSUM cards for the data unit that follows (with its fill) and returns the finished header. The
// Header must not carry these cards yet; it is not changed.
func (h *Header) Seal(data []byte) ([]byte, error) {
	var sum onesSum
	sum.write(data)
	sum.write(make([]byte, Padding(int64(len(data)))))
	sealed := &Header{cards: append([]byte(nil), h.cards...), err: h.err}
	sealed.String("CHECKSUM", "0000000000000000", "")
	sealed.String("DATASUM", strconv.FormatUint(uint64(sum.value()), 10), "")
	out, err := sealed.Bytes()
	if err != nil {
		return nil, err
	}
	var head onesSum
	head.write(out)
	text := encodeSum(addOnes(head.value(), sum.value()))
	// The 16 characters stand in columns 12 to 27 of the card.
	copy(out[len(h.cards)+11:], text[:])
	return out, nil
}
