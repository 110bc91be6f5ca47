# CPU only: docker build -t specgan . && docker run --rm -v "$PWD:/data" specgan upscale scene.tif -x 8 -o out.tif
FROM python:3.12-slim
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY specgan_cli specgan_cli
COPY models models
RUN pip install --no-cache-dir -c constraints.txt \
    --extra-index-url https://download.pytorch.org/whl/cpu ".[hdf5]"
WORKDIR /data
ENTRYPOINT ["specgan"]
