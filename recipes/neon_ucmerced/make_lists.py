"""Make the pair lists of this recipe: which image trains, which validates, and why.

    python recipes/neon_ucmerced/make_lists.py DATA [--output FOLDER]

DATA holds `neon_pairs/`, `neon_pair_40m/`, `neon_rgb/`, `ucmerced/`, `naip4/` and `drone_open/`.
The lists name files relative to DATA, so `specgan prepare` takes them with `--root DATA`.  About a
fifth of every site or class validates.  What shares ground shares its split: the plots of a
`spatial_group`, tiles nearer than `GUARD_M` to each other or to a plot, chips of an
`overlap_group`.  The order within a site is that of a hash of the name, so the choice depends
neither on the order of the files nor on a random generator.
"""

import argparse
import csv
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import rasterio

Box = tuple[float, float, float, float]

VALIDATES = 0.2
GUARD_M = 20.0
NAIP_BANDS = "635:32 555:60 465:60 845:74"
"""Centres and widths in nanometres of red, green, blue and near infrared of NAIP's cameras."""
UNSEEN_SITES = ("ABBY", "JERC")
"""Sites of a single tile: they only validate, and show what an unseen site looks like."""


@dataclass(frozen=True)
class Row:
    """One line of a list, in the columns that `specgan prepare` reads."""

    rgb: str
    hsi: str = ""
    group: str = ""
    split: str = "train"
    label: str = ""
    gsd: str = ""
    hsi_kind: str = "none"
    wavelengths: str = ""
    hsi_scale: str = ""
    hsi_gsd: str = ""
    nodata: str = ""


@dataclass(frozen=True)
class Ground:
    """Where an image lies: site and bounds in the site's UTM zone."""

    site: str
    bounds: Box

    def near(self, other: "Ground") -> bool:
        """Whether the gap between both is smaller than the guard distance."""
        ours, theirs = self.bounds, other.bounds
        gap = max(
            max(ours[0], theirs[0]) - min(ours[2], theirs[2]),
            max(ours[1], theirs[1]) - min(ours[3], theirs[3]),
        )
        return self.site == other.site and gap < GUARD_M


def drawn(groups: Iterable[str], sizes: dict[str, int], share: float) -> set[str]:
    """Take groups in the order of their hashes until they hold `share` of the members."""
    names = sorted(set(groups), key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    wanted, chosen, count = round(share * sum(sizes[name] for name in names)), set(), 0
    for name in names:
        if count < wanted:
            chosen.add(name)
            count += sizes[name]
    return chosen


def neon_pairs(data: Path) -> tuple[list[Row], dict[str, Ground]]:
    """Return the usable plots with cubes, and the whole scene HARV_026, which only tests."""
    with (data / "neon_pairs" / "pairs.csv").open(newline="") as stream:
        plots = [plot for plot in csv.DictReader(stream) if plot["usable"] == "1"]
    sizes: dict[str, int] = defaultdict(int)
    for plot in plots:
        sizes[plot["spatial_group"]] += 1
    held: set[str] = set()
    for site in sorted({plot["site"] for plot in plots}):
        held |= drawn(
            (plot["spatial_group"] for plot in plots if plot["site"] == site), sizes, VALIDATES
        )
    rows = [
        Row(
            rgb=f"neon_pairs/rgb/{plot['name']}.tif",
            hsi=f"neon_pairs/hsi/{plot['name']}.tif",
            group=plot["spatial_group"],
            split="val" if plot["spatial_group"] in held else "train",
            label=plot["site"],
            hsi_kind="real",
            wavelengths="neon_pairs/wavelengths_369_nm.csv",
            hsi_scale="10000",
        )
        for plot in plots
    ]
    whole = Row(
        rgb="neon_pair_40m/HARV_026_rgb.tif",
        hsi="neon_pair_40m/HARV_026_hsi.tif",
        group="HARV_026",
        split="test",
        label="HARV",
        hsi_kind="real",
        wavelengths="neon_pair_40m/wavelengths_426_nm.csv",
        hsi_scale="10000",
        # The tag says 255, but white pixels of these files are saturated, not missing.
        nodata="none",
    )
    rows.append(whole)
    return rows, {row.rgb: ground(data, row.rgb) for row in rows}


def neon_rgb(data: Path, pairs: Sequence[Row], grounds: dict[str, Ground]) -> list[Row]:
    """Return the RGB tiles, without those on ground where a pair validates or tests."""
    held = [grounds[row.rgb] for row in pairs if row.split != "train"]
    trained = [grounds[row.rgb] for row in pairs if row.split == "train"]
    paths = sorted(path.relative_to(data).as_posix() for path in (data / "neon_rgb").glob("*.tif"))
    lies = {path: ground(data, path) for path in paths}
    kept = [path for path in paths if not any(lies[path].near(other) for other in held)]
    groups = clusters(kept, lies)
    sizes: dict[str, int] = defaultdict(int)
    for path in kept:
        sizes[groups[path]] += 1
    tied = {groups[path] for path in kept if any(lies[path].near(other) for other in trained)}
    validating: set[str] = set()
    for site in sorted({lies[path].site for path in kept}):
        here = {groups[path] for path in kept if lies[path].site == site}
        free = here - tied
        share = VALIDATES * sum(sizes[name] for name in here)
        share = 1.0 if site in UNSEEN_SITES else share / max(1, sum(sizes[name] for name in free))
        validating |= drawn(free, sizes, min(share, 1.0))
    return [
        Row(
            rgb=path,
            group=groups[path],
            split="val" if groups[path] in validating else "train",
            label=lies[path].site,
            nodata="none",
        )
        for path in kept
    ]


def ucmerced(data: Path) -> list[Row]:
    """Return the UC Merced chips: 0.3 m, no georeference, a class each."""
    with (data / "ucmerced" / "index.csv").open(newline="") as stream:
        chips = list(csv.DictReader(stream))
    sizes: dict[str, int] = defaultdict(int)
    for chip in chips:
        sizes[chip["overlap_group"]] += 1
    held: set[str] = set()
    for name in sorted({chip["class"] for chip in chips}):
        held |= drawn(
            (chip["overlap_group"] for chip in chips if chip["class"] == name), sizes, VALIDATES
        )
    return [
        Row(
            rgb=f"ucmerced/{chip['file']}",
            group=f"ucmerced_{chip['overlap_group']}",
            split="val" if chip["overlap_group"] in held else "train",
            label=chip["class"],
            gsd="0.3",
        )
        for chip in sorted(chips, key=lambda chip: chip["file"])
    ]


def naip4(data: Path) -> list[Row]:
    """Return the NAIP chips, each its own guide: four bands, kept at four times the pixel."""
    with (data / "naip4" / "chips.csv").open(newline="") as stream:
        return [
            Row(
                rgb=chip["rgb"],
                hsi=chip["rgb"],
                group=f"naip4_{chip['group']}",
                split=chip["split"],
                label=chip["city"],
                hsi_kind="real",
                wavelengths=NAIP_BANDS,
                hsi_scale="255",
                hsi_gsd="2.4",
            )
            for chip in csv.DictReader(stream)
        ]


def drone(data: Path) -> list[Row]:
    """Return the drone chips: about 0.1 to 0.2 m, no georeference."""
    with (data / "drone_open" / "index.csv").open(newline="") as stream:
        return [
            Row(
                rgb=f"drone_open/{chip['file']}",
                group=f"drone_{chip['flight']}",
                split=chip["split"],
                label=chip["flight"],
                gsd="0.15",
            )
            for chip in csv.DictReader(stream)
        ]


def ground(data: Path, path: str) -> Ground:
    """Read where an image lies."""
    with rasterio.open(data / path) as dataset:
        return Ground(Path(path).name.split("_")[0], tuple(dataset.bounds))


def clusters(paths: Sequence[str], lies: dict[str, Ground]) -> dict[str, str]:
    """Name the cluster of near tiles that each tile belongs to, after its first member."""
    names = {path: Path(path).stem for path in paths}
    changed = True
    while changed:
        changed = False
        for path in paths:
            for other in paths:
                if names[path] > names[other] and lies[path].near(lies[other]):
                    names[path] = names[other]
                    changed = True
    return {path: f"tile_{name}" for path, name in names.items()}


def write(path: Path, rows: Sequence[Row]) -> None:
    """Write a list, and say how many images each split got."""
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, [field.name for field in fields(Row)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)
    counts = {split: sum(row.split == split for row in rows) for split in ("train", "val", "test")}
    print(path.name, counts)


def main() -> None:
    """Write the three lists."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent)
    arguments = parser.parse_args()
    pairs, grounds = neon_pairs(arguments.data)
    write(arguments.output / "neon_pairs.csv", pairs)
    write(arguments.output / "neon_rgb.csv", neon_rgb(arguments.data, pairs, grounds))
    write(arguments.output / "ucmerced.csv", ucmerced(arguments.data))
    write(arguments.output / "naip4.csv", naip4(arguments.data))
    write(arguments.output / "drone.csv", drone(arguments.data))


if __name__ == "__main__":
    main()
