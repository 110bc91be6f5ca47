"""The GeoTIFF writer: tile by tile, resumable after a kill, complete or not there at all.

Why it is written by hand
-------------------------

GDAL compresses every block here (`encoder`), reads every block back for the overviews, and makes
the COGs (`cog`).  What this package does itself is to put compressed blocks into a file: it lays
out the directories (`directory`), appends blocks in the order in which they come, keeps a journal
of what is safe on the disk, and cuts a file back to it (`partial`).  That is some 650 lines that
GDAL's own writer would save, and they are kept for one promise that GDAL cannot make:

    a run that was killed and resumed leaves the same bytes as one that was not.

GDAL's way was tried: a sparse GeoTIFF opened for update, closed and opened again every second
tile, with a journal beside it.  Measured on 8192 x 8192 pixels of three 8-bit bands under DEFLATE,
and over ten rounds of killing the process with SIGKILL again and again:

==========================  ====================  =============================
what was measured           GDAL and a journal    this package
==========================  ====================  =============================
time of an undisturbed run  32 to 36 s            34 to 41 s
size of its file            the same to a kB      the same to a kB
kills that could not        0 of 10 rounds        0 of 10 rounds
be resumed
pixels that were wrong      0                     0
size after kills            up to 42.2 MB for     19.8 MB
                            19.8 MB
bytes after kills           depend on the kills   those of an undisturbed run
==========================  ====================  =============================

So GDAL is as fast, as small and as correct, but its file remembers every interruption: a block
that is written twice leaves its first copy as a hole, and blocks lie in the order of the file's
history.  A last `CreateCopy` would heal that, at twice the disk: a scene of 10,000 x 10,000 pixels
at 32x is 307 GB.

Three more things come with it:

- Power cuts.  `PartialFile.commit` writes blocks and tables, calls fsync, then writes the line of
  the journal and calls fsync again; so a line never speaks of bytes that are not on the disk.
  GDAL gives no such order.
- Overviews are exact means of 2 x 2 valid pixels (`overviews`), so that the overviews of a result
  are the smaller results.  GDAL's average leaves out single bands that equal a nodata of 0.
- The head of the file, with every directory in it, comes before the first block.  The file is
  written strictly forwards, and readers find the directories in one request.

Other ways that were weighed: `tifffile` would replace the reading of directories (90 lines) and
none of the rest; odc-geo's writer of COGs is larger than this package and does not resume.

The order of the modules, from the pixels to the disk: `writer` takes windows and is what other
packages use; `description` and `options` are what it is told; `blocks` cuts windows along the block
grid; `image` marks missing pixels and makes overviews; `encoder` has GDAL compress blocks and
describe the file; `directory` lays out the head; `partial` appends; `output` foresees the size and
keeps the files beside an output; `cog` copies what is finished.
"""
