"""Whether poses, cameras, pictures and mesh of an object belong together, in a few lines to print.

The table of results looks fine whatever the geometry is, and means nothing where it is wrong: rotations
written column by column, another camera's K, a mesh that was moved or scaled, metres for millimetres, a
diameter that is that of the bounding box. Masks tell (`mask_check`). Without masks nothing can be proved;
edges of the pictures are asked (`edge_check`).
"""

from collections.abc import Sequence

from epropnp.data.schema import ObjectModel
from pipelines.readers.edge_check import check_edges
from pipelines.readers.finding import Finding
from pipelines.readers.frames import Frame, spread
from pipelines.readers.mask_check import check_masks
from pipelines.readers.size_check import check_diameter, check_units
from pipelines.rendering.mesh import Mesh
from pipelines.rendering.renderer import Renderer

CHECKED = 64  # frames of an object, spread evenly over all


def check_geometry(model: ObjectModel, mesh: Mesh, frames: Sequence[Frame]) -> tuple[Finding, ...]:
    """Looks at an object's diameter, at the units of its frames, and at some of these.

    Raises:
        UserError: when a picture or mask cannot be read.
    """
    diameter, units = check_diameter(model), check_units(model, frames)
    found = [finding for finding in (diameter, units) if finding is not None]
    if frames and units is None:
        some, renderer = spread(frames, CHECKED), Renderer(mesh)
        masked = [frame for frame in some if frame.mask_file or frame.whole_mask_file]
        checked = check_masks(masked, renderer) if masked else check_edges(some, renderer)
        found.append(checked)
    return tuple(found)
