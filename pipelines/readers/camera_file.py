"""The camera of renderings from a JSON file: its K, and the size of its pictures."""

from pathlib import Path

from epropnp.data import cameras
from epropnp.errors import UserError
from pipelines.rendering.views import Camera

CAMERA_FILE = "camera.json"  # at the root of a data set


def read_camera(file: Path) -> Camera:
    """The camera of a file, as of `epropnp.data.cameras`.

    Raises:
        UserError: the file is missing, or does not say K and the size of its pictures.
    """
    camera = cameras.read_camera(file, purpose="the camera of renderings")
    if camera.size is None:
        raise UserError(f"{file}: the camera has no key 'width' or no key 'height': renderings need both")
    return Camera(K=camera.K, image_size=camera.size)
