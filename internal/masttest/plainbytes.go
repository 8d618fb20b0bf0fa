package masttest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"path"
	"strings"
)

// kind is what the bytes of a file must look like, by its name.
type kind int

const (
	kindOther kind = iota
	kindFITS
	kindJSON
	kindECSV
	kindCSV
	kindJPEG
	kindPNG
)

func kindOf(name string) kind {
	switch strings.ToLower(path.Ext(name)) {
	case ".fits":
		return kindFITS
	case ".json":
		return kindJSON
	case ".ecsv":
		return kindECSV
	case ".csv":
		return kindCSV
	case ".jpg", ".jpeg":
		return kindJPEG
	case ".png":
		return kindPNG
	}
	return kindOther
}

// contentType is the Content-Type of a download.
func contentType(name string) string {
	switch kindOf(name) {
	case kindFITS:
		return "application/fits"
	case kindJSON:
		return "application/json"
	case kindECSV, kindCSV:
		return "text/csv"
	case kindJPEG:
		return "image/jpeg"
	case kindPNG:
		return "image/png"
	}
	return "application/octet-stream"
}

// suffixOf is the last underscore part of a name without its extension: "cal", "i2d", "asn".
func suffixOf(name string) string {
	stem := strings.TrimSuffix(name, path.Ext(name))
	return stem[strings.LastIndexByte(stem, '_')+1:]
}

// jsonParts makes one object; spaces before its closing brace give it the size.
func jsonParts(c *content, f File, seed uint64) {
	head := fmt.Sprintf(`{"asn_type": "image2", "asn_rule": "candidate", "program": %q, "asn_id": %q, "version_id": "%016x",
 "products": [{"name": %q, "members": [{"expname": %q, "exptype": "science"}]}]`,
		f.Program, f.ObsID, seed, f.ObsID, f.ObsID+"_rate.fits")
	if c.size < int64(len(head))+2 {
		head = fmt.Sprintf(`{"v":"%016x"`, seed)
	}
	if c.size < int64(len(head))+2 {
		head = `{`
	}
	if c.size < 2 {
		c.add(c.size, nil, same(' '))
		return
	}
	c.literal([]byte(head))
	c.add(c.size-int64(len(head))-1, nil, same(' '))
	c.literal([]byte{'}'})
}

// rows fills with lines of 16 bytes: 15 digits and a line feed.
type rows struct{ noise }

func (r rows) fillAt(p []byte, off int64) {
	r.noise.fillAt(p, off)
	for i := range p {
		if (off+int64(i))&15 == 15 {
			p[i] = '\n'
		} else {
			p[i] = '0' + p[i]%10
		}
	}
}

// csvParts makes a head and lines of digits; the last line is longer or shorter than the others.
func csvParts(c *content, f File, seed uint64) {
	head := "FILENAME\n"
	if kindOf(f.Name) == kindECSV {
		head = "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: label, datatype: int64}\n# schema: astropy-2.0\nlabel\n"
	}
	if c.size < int64(len(head))+2 {
		c.add(c.size, nil, same('\n'))
		return
	}
	c.literal([]byte(head))
	left := c.size - int64(len(head))
	c.add(left&^15, nil, rows{noise{seed}})
	if r := left & 15; r == 1 {
		c.literal([]byte{'\n'})
	} else if r > 1 {
		c.literal(append(bytes.Repeat([]byte{'7'}, int(r)-1), '\n'))
	}
}

// picture is the small image inside every JPEG and PNG.
func picture(seed uint64) image.Image {
	img := image.NewGray(image.Rect(0, 0, 16, 16))
	for i := range img.Pix {
		img.Pix[i] = color.Gray{Y: uint8(mix(seed+uint64(i)) >> 56)}.Y
	}
	return img
}

// jpegParts makes a small picture; comment segments after its first marker give it the size. Their bytes may be
// anything (ITU-T T.81, section B.2.4.5).
func jpegParts(c *content, seed uint64) {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, picture(seed), nil); err != nil || int64(b.Len()) > c.size {
		c.add(c.size, nil, noise{seed})
		return
	}
	left := c.size - int64(b.Len())
	c.literal(b.Bytes()[:2])
	if left%65000 < 4 && left%65000 > 0 || left < 4 {
		// Fill bytes before a marker are legal (section B.1.1.2): they take what is too small for a segment.
		n := min(left, 4)
		c.add(n, nil, same(0xff))
		left -= n
	}
	for left > 0 {
		n := min(left, 65000)
		if r := left - n; r > 0 && r < 4 {
			n -= 4
		}
		c.literal([]byte{0xff, 0xfe, byte((n - 2) >> 8), byte(n - 2)})
		c.add(n-4, nil, noise{seed + uint64(left)})
		left -= n
	}
	c.literal(b.Bytes()[2:])
}

// pngParts makes a small picture; a private chunk before IEND gives it the size. Its CRC needs one pass over its bytes.
func pngParts(c *content, seed uint64) {
	const end = 12 // bytes of IEND
	var b bytes.Buffer
	if err := png.Encode(&b, picture(seed)); err != nil || int64(b.Len())+12 > c.size {
		c.add(c.size, nil, noise{seed})
		return
	}
	img := b.Bytes()
	n := c.size - int64(len(img)) - 12
	head := binary.BigEndian.AppendUint32(nil, uint32(n))
	head = append(head, "jwSt"...)
	crc := crc32.ChecksumIEEE(head[4:])
	buf := make([]byte, 64<<10)
	for off := int64(0); off < n; off += int64(len(buf)) {
		p := buf[:min(int64(len(buf)), n-off)]
		noise{seed}.fillAt(p, off)
		crc = crc32.Update(crc, crc32.IEEETable, p)
	}
	c.literal(img[:len(img)-end])
	c.literal(head)
	c.add(n, nil, noise{seed})
	c.literal(binary.BigEndian.AppendUint32(nil, crc))
	c.literal(img[len(img)-end:])
}
